import type { IDisposable } from '@lumino/disposable';

import type { JobRecord } from '../api/types';
import type { IJobChange, JobsModel } from './model';
import { announcement, hasEnded } from './words';

/** Of which jobs people hear in JupyterLab when they have ended. */
export type Notified = 'asked' | 'all' | 'none';

/** Ends that come so close together are told in one sentence. */
const TOGETHER = 700;
const ONE_BY_ONE = 3;

/** Whether the person wants to hear of this job in JupyterLab. */
export function isWanted(job: JobRecord, which: Notified): boolean {
  return which === 'all' || (which === 'asked' && job.notify.includes('lab'));
}

/** What is told of jobs that ended together: each, or how many how. */
export function sentences(
  ended: readonly { before: JobRecord; after: JobRecord }[]
): string[] {
  if (ended.length <= ONE_BY_ONE) {
    return ended.map(({ before, after }) => announcement(before, after));
  }
  const counts = ['succeeded', 'failed', 'cancelled'].map(state => {
    const count = ended.filter(one => one.after.state === state).length;
    return count ? `${count} ${state}` : '';
  });
  return [
    `${ended.length} jobs have ended: ${counts.filter(Boolean).join(', ')}.`
  ];
}

/**
 * Tells of ends, once each. While a job that was asked about goes on, its news come in also when
 * no panel shows them.
 */
export class Notices {
  /** `tell` gets sentences, with the job where it is about one alone. */
  constructor(
    private readonly _model: Pick<JobsModel, 'jobChanged' | 'watch'>,
    private readonly _tell: (sentence: string, job: JobRecord | null) => void
  ) {
    _model.jobChanged.connect(this._onChange, this);
  }

  get which(): Notified {
    return this._which;
  }

  set which(which: Notified) {
    this._which = which;
    if (which === 'none') {
      this._awaited.clear();
      this._follow();
    }
  }

  private _onChange(_: unknown, { before, after }: IJobChange): void {
    const id = after?.id ?? before?.id ?? '';
    if (after && !hasEnded(after) && this._isAwaited(after)) {
      this._awaited.add(id);
    } else {
      this._awaited.delete(id);
    }
    this._follow();
    const ends = before && after && !hasEnded(before) && hasEnded(after);
    if (ends && isWanted(after, this._which)) {
      this._ended.push({ before, after });
      window.clearTimeout(this._timer);
      this._timer = window.setTimeout(() => this._flush(), TOGETHER);
    }
  }

  private _isAwaited(job: JobRecord): boolean {
    return this._which !== 'none' && job.notify.includes('lab');
  }

  private _follow(): void {
    if (this._awaited.size && !this._watching) {
      this._watching = this._model.watch();
    } else if (!this._awaited.size) {
      this._watching?.dispose();
      this._watching = null;
    }
  }

  private _flush(): void {
    const ended = this._ended.splice(0);
    const told = sentences(ended);
    told.forEach((sentence, index) =>
      this._tell(
        sentence,
        told.length === ended.length ? (ended[index]?.after ?? null) : null
      )
    );
  }

  private readonly _awaited = new Set<string>();
  private readonly _ended: { before: JobRecord; after: JobRecord }[] = [];
  private _timer = 0;
  private _watching: IDisposable | null = null;
  private _which: Notified = 'asked';
}
