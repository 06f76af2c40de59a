import { VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';

import type { StorageClient } from '../api/storage';
import type { AreaList, AreaState, RestoreTask } from '../api/types';

const FIRST_LOOK = 1000;
const LONGEST_PAUSE = 15_000;

/**
 * The storage areas as they were when somebody looked last. Nothing is asked without a reason:
 * a panel that asked by the minute would keep an idle server alive.
 */
export class StorageModel extends VDomModel {
  constructor(readonly client: StorageClient) {
    super();
  }

  /** `null` until the first answer. */
  get list(): AreaList | null {
    return this._list;
  }

  get error(): Error | null {
    return this._error;
  }

  get asking(): boolean {
    return this._asking;
  }

  area(name: string): AreaState | null {
    return this._list?.areas.find(one => one.area.name === name) ?? null;
  }

  /**
   * What is to be told of the restores of an area, newest first: those that run, and how the
   * others ended, until it was read. What went well is told where it was seen running.
   */
  restoresOf(area: string): readonly RestoreTask[] {
    return (this._list?.restores ?? []).filter(
      one =>
        one.area === area &&
        !this._read.has(one.id) &&
        (['running', 'failed'].includes(one.state) ||
          this._seenRunning.has(one.id))
    );
  }

  /** How this restore ended was read: the area need not say it any longer. */
  markRead(id: string): void {
    this._read.add(id);
    this.stateChanged.emit();
  }

  /** Look now; and again as long as somebody sees it and something is counted or restored. */
  watch(): IDisposable {
    this._watchers += 1;
    if (this._watchers === 1) {
      void this.refresh();
    }
    return new DisposableDelegate(() => {
      this._watchers -= 1;
      if (this._watchers === 0) {
        window.clearTimeout(this._timer);
      }
    });
  }

  async refresh(): Promise<void> {
    this._pause = FIRST_LOOK;
    await this._look();
  }

  async addNote(area: string, text: string, path: string): Promise<void> {
    await this.client.addNote(area, text, path);
    await this.refresh();
  }

  async removeNote(area: string, note: string): Promise<void> {
    await this.client.removeNote(area, note);
    await this.refresh();
  }

  dispose(): void {
    window.clearTimeout(this._timer);
    super.dispose();
  }

  private async _look(): Promise<void> {
    const look = ++this._looks;
    window.clearTimeout(this._timer);
    this._asking = true;
    this.stateChanged.emit();
    let list: AreaList | null = null;
    let error: Error | null = null;
    try {
      list = await this.client.areas();
    } catch (reason) {
      error = reason as Error;
    }
    if (look !== this._looks || this.isDisposed) {
      return;
    }
    this._list = list ?? this._list;
    this._error = error;
    this._asking = false;
    const restores = this._list?.restores ?? [];
    const running = restores.filter(one => one.state === 'running');
    running.forEach(one => this._seenRunning.add(one.id));
    const counts = this._list?.areas.some(one => one.counting);
    if (this._watchers > 0 && (counts || running.length > 0)) {
      this._timer = window.setTimeout(() => void this._look(), this._pause);
      this._pause = Math.min(this._pause * 2, LONGEST_PAUSE);
    }
    this.stateChanged.emit();
  }

  private readonly _read = new Set<string>();
  private readonly _seenRunning = new Set<string>();
  private _asking = false;
  private _error: Error | null = null;
  private _list: AreaList | null = null;
  private _looks = 0;
  private _pause = FIRST_LOOK;
  private _timer = 0;
  private _watchers = 0;
}
