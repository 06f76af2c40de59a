import { VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';

import type { Client } from '../api/client';
import type { LiveSocket } from '../api/live';
import type { Frames, GpuHistory, GpuSnapshot } from '../api/types';
import { applyChanges } from './deltas';

/** Points of a sparkline; one a second. */
export const POINTS = 60;

const SEED_AT_MOST = 16;

/** The latest sample of all accelerators, and the last minute of each. */
export class GpusModel extends VDomModel {
  constructor(
    readonly client: Client,
    readonly live: LiveSocket
  ) {
    super();
    live.statusChanged.connect(this._onStatus, this);
  }

  /** `null` until the first answer. */
  get snapshot(): GpuSnapshot | null {
    return this._snapshot;
  }

  get error(): Error | null {
    return this._error;
  }

  /** The card that is open, with its chart. */
  get opened(): string | null {
    return this._opened;
  }

  open(uuid: string | null): void {
    this._opened = uuid;
    this.stateChanged.emit();
  }

  /** Percent busy, oldest first; `null` where it is not known. */
  recent(uuid: string): readonly (number | null)[] {
    return this._recent.get(uuid) ?? [];
  }

  history(uuid: string, seconds: number): Promise<GpuHistory> {
    return this.client.gpuHistory(uuid, seconds);
  }

  watch(): IDisposable {
    this._watchers += 1;
    if (this._watchers === 1) {
      this._subscription = this.live.subscribe('gpus', f => this._onFrame(f));
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

  /** Look once; keep looking only where there is something to see. */
  watchIfThere(): IDisposable {
    let watching: IDisposable | null = null;
    let wanted = true;
    void this.refresh().then(() => {
      if (wanted && this._snapshot?.accelerators.length) {
        watching = this.watch();
      }
    });
    return new DisposableDelegate(() => {
      wanted = false;
      watching?.dispose();
    });
  }

  /** Ask once, beside the live frames: it also says what is wrong. */
  async refresh(): Promise<void> {
    try {
      const snapshot = await this.client.gpus();
      this._error = null;
      if (!this._snapshot) {
        this._take(snapshot);
      }
    } catch (error) {
      this._error = error as Error;
    }
    this.stateChanged.emit();
  }

  dispose(): void {
    this._subscription?.dispose();
    this.live.statusChanged.disconnect(this._onStatus, this);
    super.dispose();
  }

  private _onStatus(): void {
    this.stateChanged.emit();
  }

  private _onFrame(frame: Frames['gpus']): void {
    this._error = null;
    if (frame.type === 'full') {
      this._take(frame.data);
    } else if (this._snapshot) {
      this._snapshot = applyChanges(this._snapshot, frame.data);
      this._remember(this._snapshot);
    }
    this.stateChanged.emit();
  }

  private _take(snapshot: GpuSnapshot): void {
    const first = this._snapshot === null;
    this._snapshot = snapshot;
    this._remember(snapshot);
    if (first) {
      void this._seed(snapshot);
    }
  }

  private _remember(snapshot: GpuSnapshot): void {
    for (const one of snapshot.accelerators) {
      const known = this._recent.get(one.uuid) ?? [];
      const percent = one.state === 'ok' ? one.signal.percent : null;
      this._recent.set(one.uuid, [...known, percent].slice(-POINTS));
    }
  }

  /** What the server remembers of the last minute, so that lines do not begin empty. */
  private async _seed(snapshot: GpuSnapshot): Promise<void> {
    for (const { uuid } of snapshot.accelerators.slice(0, SEED_AT_MOST)) {
      try {
        const { percent } = await this.client.gpuHistory(uuid, POINTS);
        const since = this._recent.get(uuid) ?? [];
        this._recent.set(uuid, [...percent, ...since].slice(-POINTS));
      } catch {
        return; // the lines then begin with the first live frame
      }
    }
    this.stateChanged.emit();
  }

  private readonly _recent = new Map<string, (number | null)[]>();
  private _error: Error | null = null;
  private _opened: string | null = null;
  private _snapshot: GpuSnapshot | null = null;
  private _subscription: IDisposable | null = null;
  private _watchers = 0;
}
