import { VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Client } from '../api/client';
import type { LiveSocket } from '../api/live';
import type { Environment, EnvironmentList, Frames, Task } from '../api/types';

/** The environments of this server, and the tasks that change them. */
export class EnvironmentsModel extends VDomModel {
  constructor(
    readonly client: Client,
    readonly live: LiveSocket
  ) {
    super();
  }

  /** `null` until the first answer. */
  get list(): EnvironmentList | null {
    return this._list;
  }

  get error(): Error | null {
    return this._error;
  }

  get search(): string {
    return this._search;
  }

  /** The environment the keyboard is on, by its key. */
  get selected(): string | null {
    return this._selected;
  }

  /** The environment whose facts are shown, by its key. */
  get opened(): string | null {
    return this._opened;
  }

  /** Every task, newest first. */
  get tasks(): readonly Task[] {
    return this._tasks;
  }

  /** A task as it is now, each time that it changed. */
  get taskChanged(): ISignal<this, Task> {
    return this._taskChanged;
  }

  /** The kernels of this server may be others now. */
  get kernelsChanged(): ISignal<this, void> {
    return this._kernelsChanged;
  }

  /** A sentence for screen readers, once per task that ended outside a dialog. */
  get announced(): ISignal<this, string> {
    return this._announced;
  }

  setSearch(text: string): void {
    this._search = text;
    this.stateChanged.emit();
  }

  select(key: string | null): void {
    if (key !== this._selected) {
      this._selected = key;
      this.stateChanged.emit();
    }
  }

  open(key: string | null): void {
    this._opened = key;
    this.stateChanged.emit();
  }

  environment(key: string): Environment | null {
    return (
      this._list?.environments.find(one => environmentKey(one) === key) ?? null
    );
  }

  /** Names that a new environment cannot have. */
  get ownNames(): readonly string[] {
    const own = this._list?.environments.filter(one => one.kind === 'own');
    return (own ?? []).map(one => one.name);
  }

  /**
   * What is to be told of the own environment `name`: the task that runs, or the last one that
   * ended and was not read yet, unless it ended well before this page was opened. Previews are
   * told where they were asked for.
   */
  newsOf(name: string): Task | null {
    const newest = this._tasks.find(
      task => task.name === name && !task.preview
    );
    if (!newest || this._read.has(newest.id)) {
      return null;
    }
    const calm = ['succeeded', 'cancelled'].includes(newest.state);
    const old = calm && !this._seenRunning.has(newest.id);
    return old ? null : newest;
  }

  /** Names of environments that are still being made, or could not be made. */
  get unborn(): readonly string[] {
    const own = new Set(this.ownNames);
    const names = this._tasks
      .filter(task => ['create', 'clone'].includes(task.action))
      .filter(task => task.state !== 'succeeded')
      .map(task => task.name)
      .filter(name => !own.has(name) && this.newsOf(name) !== null);
    return [...new Set(names)];
  }

  /** What the task says was read: the row need not say it any longer. */
  markRead(id: string): void {
    this._read.add(id);
    this.stateChanged.emit();
  }

  /** A dialog tells what this task does until the result is disposed. */
  attend(id: string): IDisposable {
    this._attended.add(id);
    return new DisposableDelegate(() => {
      this._attended.delete(id);
    });
  }

  /** Look until this task has ended, also while the panel is hidden. */
  watchUntilEnded(id: string): void {
    const watching = this.watch();
    const onTask = (_: this, task: Task) => {
      if (task.id === id && task.state !== 'running') {
        this._taskChanged.disconnect(onTask);
        watching.dispose();
      }
    };
    this._taskChanged.connect(onTask);
  }

  /** Take in what an action of this page answered, before the live frame comes. */
  put(task: Task): void {
    this._mergeTasks([task], []);
    this.stateChanged.emit();
  }

  watch(): IDisposable {
    this._watchers += 1;
    if (this._watchers === 1) {
      this._subscription = this.live.subscribe('tasks', frame =>
        this._onFrame(frame)
      );
      void this.refresh();
    }
    return new DisposableDelegate(() => {
      this._watchers -= 1;
      if (this._watchers === 0) {
        this._subscription?.dispose();
        this._subscription = null;
      }
    });
  }

  /** Ask for all of it: what runs is to be seen without a live connection too. */
  async refresh(): Promise<void> {
    try {
      const [list, { tasks }] = await Promise.all([
        this.client.environments(),
        this.client.tasks()
      ]);
      if (this.isDisposed) {
        return;
      }
      this._takeList(list);
      this._mergeTasks(tasks, []);
    } catch (error) {
      this._error = error as Error;
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._subscription?.dispose();
    Signal.clearData(this);
    super.dispose();
  }

  private _onFrame(frame: Frames['tasks']): void {
    if (frame.type === 'full') {
      this._takeList(frame.data.environments);
      const { tasks } = frame.data.tasks;
      const there = new Set(tasks.map(task => task.id));
      const gone = this._tasks.filter(task => !there.has(task.id));
      this._mergeTasks(
        tasks,
        gone.map(task => task.id)
      );
    } else {
      if (frame.data.environments) {
        this._takeList(frame.data.environments);
      }
      this._mergeTasks(frame.data.changed, frame.data.gone);
    }
    this.stateChanged.emit();
  }

  private _takeList(list: EnvironmentList): void {
    const before = kernelsOf(this._list);
    this._list = list;
    this._error = null;
    if (before !== null && before !== kernelsOf(list)) {
      this._kernelsChanged.emit();
    }
  }

  private _mergeTasks(changed: readonly Task[], gone: readonly string[]): void {
    const before = new Map(this._tasks.map(task => [task.id, task]));
    const news = changed.filter(task => isNews(before.get(task.id), task));
    this._tasks = mergeTasks(this._tasks, news, gone);
    for (const task of news) {
      if (task.state === 'running') {
        this._seenRunning.add(task.id);
      }
      this._taskChanged.emit(task);
      const was = before.get(task.id)?.state ?? 'running';
      if (was === 'running' && task.state !== 'running') {
        this._ended(task);
      }
    }
  }

  private _ended(task: Task): void {
    const attended = this._attended.has(task.id);
    if (task.preview || !(attended || this._seenRunning.has(task.id))) {
      return;
    }
    this._kernelsChanged.emit();
    void this.refresh();
    if (attended) {
      this._read.add(task.id);
    } else if (task.result) {
      this._announced.emit(task.result.text);
    }
  }

  private readonly _announced = new Signal<this, string>(this);
  private readonly _attended = new Set<string>();
  private readonly _kernelsChanged = new Signal<this, void>(this);
  private readonly _read = new Set<string>();
  private readonly _seenRunning = new Set<string>();
  private readonly _taskChanged = new Signal<this, Task>(this);
  private _error: Error | null = null;
  private _list: EnvironmentList | null = null;
  private _opened: string | null = null;
  private _search = '';
  private _selected: string | null = null;
  private _subscription: IDisposable | null = null;
  private _tasks: readonly Task[] = [];
  private _watchers = 0;
}

/** Names one row among all: a found environment may be called like one's own. */
export function environmentKey(one: Environment): string {
  return `${one.kind} ${one.name} ${one.kind === 'found' ? (one.prefix ?? '') : ''}`;
}

/** The tasks with changes in place, newest first. */
export function mergeTasks(
  tasks: readonly Task[],
  changed: readonly Task[],
  gone: readonly string[]
): Task[] {
  const out = new Set([...gone, ...changed.map(task => task.id)]);
  const kept = tasks.filter(task => !out.has(task.id));
  return [...changed, ...kept].sort(
    (a, b) => Date.parse(b.started_at) - Date.parse(a.started_at)
  );
}

/** A late answer must not show an ended task as running, nor its progress going back. */
function isNews(before: Task | undefined, after: Task): boolean {
  if (!before) {
    return true;
  }
  if (before.state !== 'running') {
    return after.state !== 'running';
  }
  if (after.state !== 'running' || !before.event || !after.event) {
    return true;
  }
  return Date.parse(after.event.at) >= Date.parse(before.event.at);
}

function kernelsOf(list: EnvironmentList | null): string | null {
  return (
    list && [...list.environments.flatMap(one => one.kernels)].sort().join(' ')
  );
}
