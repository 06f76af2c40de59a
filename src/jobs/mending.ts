import type { Client } from '../api/client';
import { newKey, ServerSilent } from '../api/client';
import type { Remedy, Task } from '../api/types';

const FIRST_LOOK = 150;
const LONGEST_PAUSE = 1_000;

/** Makes an environment that was changed by hand usable again: one task, followed to its end. */
export class Mending {
  constructor(
    private readonly _client: Client,
    private readonly _changed: () => void
  ) {}

  /** The task as it is known now; `null` before it was accepted. */
  get task(): Task | null {
    return this._task;
  }

  /** True from a click on Cancel on. */
  get cancelling(): boolean {
    return this._cancelling;
  }

  /** The task at its end; also when nobody looks any more. Rejects when it was not accepted. */
  async carryOut(remedy: Remedy): Promise<Task> {
    let task = await this._client.startTask(remedy.request, newKey());
    this._put(task);
    if (this._cancelling) {
      await this._client.cancelTask(task.id);
    }
    for (let pause = FIRST_LOOK; task.state === 'running';) {
      await new Promise(resolve => window.setTimeout(resolve, pause));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      try {
        task = await this._client.task(task.id);
      } catch (error) {
        if (!(error instanceof ServerSilent)) {
          throw error;
        }
      }
      this._put(task);
    }
    return task;
  }

  async cancel(): Promise<void> {
    this._cancelling = true;
    this._changed();
    if (this._task) {
      await this._client.cancelTask(this._task.id);
    }
  }

  private _put(task: Task): void {
    this._task = task;
    this._changed();
  }

  private _cancelling = false;
  private _task: Task | null = null;
}
