import { VDomModel } from '@jupyterlab/ui-components';

import { ApiProblem } from '../api/errors';
import type { StorageClient } from '../api/storage';
import type {
  BackupCopy,
  BackupEntry,
  BackupFolder,
  DeletedFiles,
  RestoreTask
} from '../api/types';

const FIRST_LOOK = 150;
const LONGEST_PAUSE = 2000;

/** The backups of one area: which copy, which folder of it, and what is being restored. */
export class BackupsModel extends VDomModel {
  constructor(
    readonly client: StorageClient,
    readonly area: string,
    private readonly _onRestored: () => void,
    begun: RestoreTask | null = null
  ) {
    super();
    this._task = begun;
  }

  /** Newest first; `null` until the first answer. */
  get copies(): readonly BackupCopy[] | null {
    return this._copies;
  }

  /** The copy that is looked at. */
  get chosen(): BackupCopy | null {
    return this._copies?.find(one => one.id === this._chosen) ?? null;
  }

  /** What was deleted since the copy was made; `null` while it is looked for. */
  get deleted(): DeletedFiles | null {
    return this._deleted;
  }

  /** The folder of the copy that is shown. */
  get folder(): BackupFolder | null {
    return this._folder;
  }

  get error(): Error | null {
    return this._error;
  }

  get task(): RestoreTask | null {
    return this._task;
  }

  get busy(): boolean {
    return this._starting || this._task?.state === 'running';
  }

  /** Why what is told of the restore may be old, while the server cannot be asked. */
  get silent(): Error | null {
    return this._silent;
  }

  /** Read the copies, and look at the newest; go on with a restore that was begun earlier. */
  async load(): Promise<void> {
    const follows = this.busy && !this._following;
    await Promise.all([this._read(), follows ? this._follow() : undefined]);
  }

  private async _read(): Promise<void> {
    await this._try(async () => {
      this._copies = (await this.client.backups(this.area)).copies;
      if (this._copies.length) {
        await this.choose(this._copies[0].id);
      }
    });
  }

  async choose(copy: string): Promise<void> {
    this._chosen = copy;
    this._deleted = null;
    this._folder = null;
    this.stateChanged.emit();
    await Promise.all([this._search(copy), this.open('')]);
  }

  /** Show a folder of the chosen copy, by its key. */
  async open(path: string): Promise<void> {
    const copy = this._chosen;
    const look = ++this._looks;
    await this._try(async () => {
      const folder = await this.client.browse(this.area, copy, path);
      if (look === this._looks) {
        this._folder = folder;
      }
    });
  }

  /** Bring one name back; `back`: in its old place. */
  async restore(entry: BackupEntry, where: 'beside' | 'back'): Promise<void> {
    if (this.busy) {
      return;
    }
    this._starting = true;
    this._task = null;
    await this._try(async () => {
      const request = { copy_id: this._chosen, path: entry.path, where };
      this._task = await this.client.restore(this.area, request);
    });
    this._starting = false;
    await this._follow();
  }

  async cancel(): Promise<void> {
    const task = this._task;
    if (task) {
      await this._try(async () => {
        await this.client.cancel(task.id);
      });
    }
  }

  private async _follow(): Promise<void> {
    let pause = FIRST_LOOK;
    this._following = true;
    while (this._task?.state === 'running' && !this.isDisposed) {
      this.stateChanged.emit();
      await new Promise(resolve => window.setTimeout(resolve, pause));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      await this._ask(this._task.id);
    }
    this._following = false;
    if (this._task?.state === 'done' && !this.isDisposed) {
      this._onRestored();
    }
    if (this._task?.state === 'done' && !this.isDisposed && this._chosen) {
      const open = this._folder?.path ?? '';
      await Promise.all([this._search(this._chosen), this.open(open)]);
    }
    this.stateChanged.emit();
  }

  /** A server that starts again tells later how the restore goes: it goes on without one. */
  private async _ask(id: string): Promise<void> {
    try {
      this._task = await this.client.task(id);
      this._silent = null;
    } catch (error) {
      if (error instanceof ApiProblem && error.code === 'no-such-task') {
        this._task = null;
        this._silent = null;
        this._error = error;
      } else {
        this._silent = error as Error;
      }
    }
  }

  private async _search(copy: string): Promise<void> {
    await this._try(async () => {
      const deleted = await this.client.deleted(this.area, copy);
      if (copy === this._chosen) {
        this._deleted = deleted;
      }
    });
  }

  private async _try(work: () => Promise<void>): Promise<void> {
    this._error = null;
    this.stateChanged.emit();
    try {
      await work();
    } catch (error) {
      this._error = error as Error;
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private _chosen = '';
  private _copies: readonly BackupCopy[] | null = null;
  private _deleted: DeletedFiles | null = null;
  private _error: Error | null = null;
  private _folder: BackupFolder | null = null;
  private _following = false;
  private _looks = 0;
  private _silent: Error | null = null;
  private _starting = false;
  private _task: RestoreTask | null = null;
}
