import { VDomModel } from '@jupyterlab/ui-components';
import { Poll } from '@lumino/polling';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';

import type { Client } from '../api/client';
import { NoServerPart } from '../api/client';
import type { JobDetails, JobRecord } from '../api/types';
import type { IJobChange, JobsModel } from './model';
import { PointsModel } from './pointsmodel';
import { hasEnded } from './words';

const LOG_EVERY = 500;
const MOST_LOG = 1_000_000;

/** One job as its tab shows it: details, and the log as it grows. */
export class JobModel extends VDomModel {
  constructor(
    readonly id: string,
    private readonly _jobs: JobsModel
  ) {
    super();
    this._poll = new Poll({
      name: `mlinfn-log-${id}`,
      auto: false,
      frequency: { interval: LOG_EVERY, backoff: true, max: 30_000 },
      standby: () =>
        !this._watching ||
        this._logIsWhole ||
        this._jobs.live.status === 'paused',
      factory: () => this._readLog()
    });
    _jobs.jobChanged.connect(this._onChange, this);
  }

  get client(): Client {
    return this._jobs.client;
  }

  get details(): JobDetails | null {
    return this._details;
  }

  /** The newest record: from the list where it is there, else from the details. */
  get job(): JobRecord | null {
    return this._newest ?? this._details?.job ?? null;
  }

  get error(): Error | null {
    return this._error;
  }

  /** True when the job was deleted while it was shown. */
  get gone(): boolean {
    return this._gone;
  }

  /** The points, when it is a sweep. */
  get points(): PointsModel | null {
    if (this.job?.sweep && !this._points) {
      this._points = new PointsModel(this.id, this.client);
      this._points.look();
    }
    return this._points;
  }

  get log(): string {
    return this._log;
  }

  /** True when the beginning of a long log is not shown. */
  get logCut(): boolean {
    return this._logCut;
  }

  /** Keep job and log true until the result is disposed. */
  watch(): IDisposable {
    const list = this._jobs.watch();
    this._watching = true;
    void this.refresh();
    this._points?.look();
    void this._poll.start();
    return new DisposableDelegate(() => {
      this._watching = false;
      list.dispose();
      void this._poll.stop();
    });
  }

  async refresh(): Promise<void> {
    try {
      const details = await this.client.details(this.id);
      this._details = details;
      this._newest = details.job;
      this._error = null;
    } catch (error) {
      this._error = error as Error;
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._poll.dispose();
      this._points?.dispose();
      this._jobs.jobChanged.disconnect(this._onChange, this);
      super.dispose();
    }
  }

  private _onChange(_: JobsModel, change: IJobChange): void {
    const job = change.after ?? change.before;
    if (job?.id !== this.id) {
      return;
    }
    if (!change.after) {
      this._gone = true;
    } else {
      const before = this._newest;
      this._newest = change.after;
      if (before?.attempts !== change.after.attempts) {
        this._startLogAgain();
      }
      this._points?.look();
      if (
        before?.state !== change.after.state ||
        before?.reason?.code !== change.after.reason?.code ||
        valuesOf(before) !== valuesOf(change.after)
      ) {
        this._logIsWhole = false;
        void this.refresh();
      }
    }
    this.stateChanged.emit();
  }

  private _startLogAgain(): void {
    this._log = '';
    this._logCut = false;
    this._logIsWhole = false;
    this._next = 0;
  }

  private async _readLog(): Promise<void> {
    try {
      await this._readOnce();
    } catch (error) {
      if (!(error instanceof NoServerPart)) {
        throw error;
      }
      this._logIsWhole = true;
    }
  }

  private async _readOnce(): Promise<void> {
    if (this.job?.sweep) {
      this._logIsWhole = true; // each point has its own
      return;
    }
    let chunk = await this.client.log(this.id, this._next);
    while (chunk.text) {
      this._next = chunk.next;
      this._log += chunk.text;
      if (this._log.length > MOST_LOG) {
        this._log = this._log.slice(-MOST_LOG);
        this._logCut = true;
      }
      if (chunk.next >= chunk.size) {
        break;
      }
      if (chunk.size - chunk.next > MOST_LOG) {
        // what lies between would not be shown
        this._next = chunk.size - MOST_LOG;
        this._log = '';
        this._logCut = true;
      }
      chunk = await this.client.log(this.id, this._next);
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
    this._logIsWhole =
      chunk.ended &&
      chunk.next >= chunk.size &&
      this.job !== null &&
      hasEnded(this.job);
  }

  private readonly _poll: Poll;
  private _details: JobDetails | null = null;
  private _error: Error | null = null;
  private _gone = false;
  private _log = '';
  private _logCut = false;
  private _logIsWhole = false;
  private _newest: JobRecord | null = null;
  private _next = 0;
  private _points: PointsModel | null = null;
  private _watching = false;
}

function valuesOf(job: JobRecord | null): string {
  return JSON.stringify(job?.progress?.values ?? {});
}
