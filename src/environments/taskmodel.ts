import { VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';

import { newKey } from '../api/client';
import type { Task, TaskRequest } from '../api/types';
import type { EnvironmentsModel } from './model';

const FIRST_LOOK = 150;
const LONGEST_PAUSE = 1_000;

/** Where the person is on the way from a wish to what is different now. */
export type Step = 'asking' | 'solving' | 'deciding' | 'working' | 'ended';

/**
 * One action on an environment: what it would change, the click, and how it goes on.
 *
 * Disposing ends a preview, because nobody would read it, and ends no work.
 */
export class TaskModel extends VDomModel {
  constructor(readonly environments: EnvironmentsModel) {
    super();
    environments.taskChanged.connect(this._onTask, this);
    this._watching = environments.watch();
  }

  get step(): Step {
    return this._step;
  }

  /** What was asked for last. */
  get request(): TaskRequest | null {
    return this._request;
  }

  /** The preview, from the moment that it was accepted. */
  get preview(): Task | null {
    return this._preview;
  }

  /** The work, from the moment that it was accepted. */
  get task(): Task | null {
    return this._task;
  }

  /** Why a request was not accepted. */
  get error(): Error | null {
    return this._error;
  }

  /** True from a click on Cancel until the task has ended. */
  get cancelling(): boolean {
    return this._cancelling;
  }

  /** Find out what `request` would change. */
  async look(request: TaskRequest): Promise<void> {
    this._request = request;
    this._task = null;
    await this._start({ ...request, preview: true }, 'solving', 'asking');
  }

  /** Do it without a preview: the question itself says what would change. */
  async begin(request: TaskRequest): Promise<void> {
    this._request = request;
    this._preview = null;
    this._task = null;
    await this._start(request, 'working', 'asking');
  }

  /** Do exactly what the preview showed. */
  async act(): Promise<void> {
    if (this._request && this._preview?.state === 'succeeded') {
      const request = { ...this._request, after: this._preview.id };
      await this._start(request, 'working', 'deciding');
    }
  }

  /** Back to the question, with what was typed. */
  back(): void {
    this._cancelPreview();
    this._error = null;
    this._preview = null;
    this._task = null;
    this._go('asking');
  }

  async cancel(): Promise<void> {
    const running = this._current;
    if (!running || this._cancelling) {
      return;
    }
    this._cancelling = true;
    this.stateChanged.emit();
    try {
      this.environments.put(
        await this.environments.client.cancelTask(running.id)
      );
    } catch (error) {
      this._cancelling = false;
      this._error = error as Error;
      this.stateChanged.emit();
    }
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._cancelPreview();
    this._attending?.dispose();
    if (this._task?.state === 'running') {
      this.environments.watchUntilEnded(this._task.id);
    }
    this._watching.dispose();
    this.environments.taskChanged.disconnect(this._onTask, this);
    super.dispose();
  }

  private async _start(
    request: TaskRequest,
    during: Step,
    onRefusal: Step
  ): Promise<void> {
    const started = ++this._started;
    this._error = null;
    this._cancelling = false;
    this._current = null;
    this._go(during);
    try {
      const task = await this.environments.client.startTask(request, newKey());
      if (started !== this._started || this.isDisposed) {
        this._letGo(task);
        return;
      }
      this._attending?.dispose();
      this._attending = this.environments.attend(task.id);
      this._current = task;
      this.environments.put(task);
      // The live connection tells at once; asking keeps it true where there is none.
      await this._follow(task.id);
    } catch (error) {
      if (started === this._started && !this.isDisposed) {
        this._error = error as Error;
        this._go(onRefusal);
      }
    }
  }

  /** A preview that nobody waits for any longer ends; work goes on. */
  private _letGo(task: Task): void {
    if (task.preview) {
      void this.environments.client.cancelTask(task.id).catch(() => undefined);
    } else {
      this.environments.put(task);
      this.environments.watchUntilEnded(task.id);
    }
  }

  private async _follow(id: string): Promise<void> {
    for (let pause = FIRST_LOOK; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      await new Promise(resolve => window.setTimeout(resolve, pause));
      if (this.isDisposed || this._current?.id !== id || this._hasEnded) {
        return;
      }
      try {
        this.environments.put(await this.environments.client.task(id));
        this._silent = null;
      } catch (error) {
        this._silent = error as Error;
        this.stateChanged.emit();
      }
    }
  }

  /** Why the progress may be old, while the server cannot be asked. */
  get silent(): Error | null {
    return this._silent;
  }

  private get _hasEnded(): boolean {
    return this._current !== null && this._current.state !== 'running';
  }

  private _onTask(_: EnvironmentsModel, task: Task): void {
    if (task.id !== this._current?.id) {
      return;
    }
    this._current = task;
    if (task.preview && task.state === 'cancelled') {
      this.back();
    } else if (task.preview) {
      this._preview = task;
      this._go(task.state === 'running' ? 'solving' : 'deciding');
    } else {
      this._task = task;
      this._go(task.state === 'running' ? 'working' : 'ended');
    }
  }

  private _cancelPreview(): void {
    const running = this._current;
    this._started += 1;
    this._current = null;
    if (running?.preview && running.state === 'running') {
      this._letGo(running);
    }
  }

  private _go(step: Step): void {
    this._step = step;
    if (step === 'deciding' || step === 'ended') {
      this._cancelling = false;
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private readonly _watching: IDisposable;
  private _attending: IDisposable | null = null;
  private _cancelling = false;
  private _current: Task | null = null;
  private _error: Error | null = null;
  private _preview: Task | null = null;
  private _request: TaskRequest | null = null;
  private _silent: Error | null = null;
  private _started = 0;
  private _step: Step = 'asking';
  private _task: Task | null = null;
}
