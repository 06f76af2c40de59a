import type { JobRecord } from '../api/types';
import type { IJobChange, JobsModel } from './model';

const SHARE = 0.1;
const MOST = 600;
/** Browsers take no longer delay. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** Milliseconds since 1970 at which a running job reaches its time limit; else `null`. */
export function limitOf(job: JobRecord): number | null {
  if (job.state !== 'running' || job.cancelling || !job.started_at) {
    return null;
  }
  return Date.parse(job.started_at) + job.resources.time * 1000;
}

/** How many seconds before its limit people hear of it: a tenth of its time, ten minutes at most. */
export function leadOf(job: JobRecord): number {
  return Math.min(MOST, job.resources.time * SHARE);
}

/** Says once of each running job that its time is nearly over, while its news come in. */
export class TimeLimits {
  /** `warn` gets the seconds that are left. */
  constructor(
    model: Pick<JobsModel, 'jobChanged'>,
    private readonly _warn: (job: JobRecord, left: number) => void
  ) {
    model.jobChanged.connect(this._onChange, this);
  }

  private _onChange(_: unknown, change: IJobChange): void {
    const job = change.after;
    const id = job?.id ?? change.before?.id ?? '';
    window.clearTimeout(this._timers.get(id));
    this._timers.delete(id);
    const limit = job && limitOf(job);
    if (!job || !limit || this._told.get(id) === limit) {
      return;
    }
    const now = Date.now();
    const delay = Math.max(0, limit - leadOf(job) * 1000 - now);
    if (limit > now && delay <= LONGEST_DELAY) {
      this._timers.set(
        id,
        window.setTimeout(() => {
          this._told.set(id, limit);
          this._warn(job, Math.max(0, (limit - Date.now()) / 1000));
        }, delay)
      );
    }
  }

  private readonly _timers = new Map<string, number>();
  /** Of each job the limit that was told: another attempt has another one. */
  private readonly _told = new Map<string, number>();
}
