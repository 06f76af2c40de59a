import { VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';

import type { Client } from '../api/client';
import type { LiveSocket } from '../api/live';
import type { EnvironmentList } from '../api/types';

/** The environments of this server; their sizes arrive while one looks. */
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

  setSearch(text: string): void {
    this._search = text;
    this.stateChanged.emit();
  }

  watch(): IDisposable {
    this._watchers += 1;
    if (this._watchers === 1) {
      this._subscription = this.live.subscribe('tasks', frame => {
        this._list = frame.data.environments;
        this._error = null;
        this.stateChanged.emit();
      });
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

  async refresh(): Promise<void> {
    try {
      this._list = await this.client.environments();
      this._error = null;
    } catch (error) {
      this._error = error as Error;
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  dispose(): void {
    this._subscription?.dispose();
    super.dispose();
  }

  private _error: Error | null = null;
  private _list: EnvironmentList | null = null;
  private _search = '';
  private _subscription: IDisposable | null = null;
  private _watchers = 0;
}
