import { VDomModel } from '@jupyterlab/ui-components';
import { Debouncer } from '@lumino/polling';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Client } from '../api/client';
import type { LiveSocket } from '../api/live';
import type {
  Frames,
  JobCounts,
  JobPage,
  JobRecord,
  JobState
} from '../api/types';
import { announcement } from './words';

const PAGE = 50;
const TYPING_PAUSE = 250;

const NO_COUNTS: JobCounts = {
  running: 0,
  queued: 0,
  failed_today: 0,
  total: 0
};

/** A job as it was and as it is; one of the two is `null` when it came or went. */
export interface IJobChange {
  before: JobRecord | null;
  after: JobRecord | null;
}

/** The list of jobs: what the server last said, searched and filtered there. */
export class JobsModel extends VDomModel {
  constructor(
    readonly client: Client,
    readonly live: LiveSocket
  ) {
    super();
    this._searching = new Debouncer(() => this.refresh(), TYPING_PAUSE);
    live.statusChanged.connect(this._onStatus, this);
  }

  /** `null` until the first answer. */
  get jobs(): readonly JobRecord[] | null {
    return this._jobs;
  }

  get counts(): JobCounts {
    return this._counts;
  }

  get error(): Error | null {
    return this._error;
  }

  get hasMore(): boolean {
    return this._next !== null;
  }

  get loadingMore(): boolean {
    return this._loadingMore;
  }

  get search(): string {
    return this._search;
  }

  get states(): readonly JobState[] {
    return this._states;
  }

  get filtered(): boolean {
    return this._search !== '' || this._states.length > 0;
  }

  /** The job the keyboard is on. */
  get selected(): string | null {
    return this._selected;
  }

  /** Every change of a job that was shown, for details, drives and announcements. */
  get jobChanged(): ISignal<this, IJobChange> {
    return this._jobChanged;
  }

  /** A sentence for screen readers, once per change of state. */
  get announced(): ISignal<this, string> {
    return this._announced;
  }

  job(id: string): JobRecord | null {
    return this._known.get(id) ?? null;
  }

  select(id: string | null): void {
    if (id !== this._selected) {
      this._selected = id;
      this.stateChanged.emit();
    }
  }

  setSearch(text: string): void {
    this._search = text;
    this.stateChanged.emit();
    void this._searching.invoke();
  }

  setStates(states: readonly JobState[]): void {
    this._states = states;
    this.stateChanged.emit();
    void this.refresh();
  }

  /** Keep the list true until the result is disposed. */
  watch(): IDisposable {
    this._watchers += 1;
    if (this._watchers === 1) {
      this._subscription = this.live.subscribe('jobs', f => this._onFrame(f));
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

  /** Ask for the first page again. */
  async refresh(): Promise<void> {
    const asked = ++this._asked;
    try {
      const page = await this.client.jobs(this._query());
      if (asked === this._asked && !this.isDisposed) {
        this._take(page);
      }
    } catch (error) {
      if (asked === this._asked && !this.isDisposed) {
        this._error = error as Error;
        this.stateChanged.emit();
      }
    }
  }

  /** Ask for the page after the last one. */
  async loadMore(): Promise<void> {
    if (!this._next || this._loadingMore) {
      return;
    }
    this._loadingMore = true;
    this.stateChanged.emit();
    const asked = this._asked;
    try {
      const page = await this.client.jobs({
        ...this._query(),
        cursor: this._next
      });
      if (asked === this._asked) {
        const shown = new Set(this._jobs?.map(job => job.id));
        const fresh = page.jobs.filter(job => !shown.has(job.id));
        this._jobs = [...(this._jobs ?? []), ...fresh];
        this._next = page.next ?? null;
        fresh.forEach(job => this._known.set(job.id, job));
      }
    } catch (error) {
      this._error = error as Error;
    } finally {
      this._loadingMore = false;
      this.stateChanged.emit();
    }
  }

  /** Take in what an action of this page answered, before the live frame comes. */
  put(job: JobRecord): void {
    this._merge([job], []);
    this.stateChanged.emit();
  }

  /** Forget a job this page deleted. */
  drop(id: string): void {
    this._merge([], [id]);
    this.stateChanged.emit();
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._subscription?.dispose();
    this._searching.dispose();
    Signal.clearData(this);
    super.dispose();
  }

  private _query() {
    return { search: this._search, states: this._states, limit: PAGE };
  }

  private _onStatus(): void {
    this.stateChanged.emit();
  }

  private _onFrame(frame: Frames['jobs']): void {
    if (frame.type === 'delta') {
      const delta = frame.data;
      this._counts = delta.counts;
      this._merge(delta.changed, delta.deleted);
      this.stateChanged.emit();
    } else if (this.filtered || (this._jobs?.length ?? 0) > PAGE) {
      void this.refresh();
    } else {
      this._asked += 1;
      this._take(frame.data);
    }
  }

  private _take(page: JobPage): void {
    this._error = null;
    this._counts = page.counts ?? NO_COUNTS;
    this._next = page.next ?? null;
    page.jobs.forEach(job => this._notice(job));
    this._jobs = page.jobs;
    this.stateChanged.emit();
  }

  private _merge(
    changed: readonly JobRecord[],
    deleted: readonly string[]
  ): void {
    changed.forEach(job => this._notice(job));
    for (const id of deleted) {
      const before = this._known.get(id) ?? null;
      this._known.delete(id);
      this._jobChanged.emit({ before, after: null });
    }
    if (this._jobs) {
      this._jobs = mergeJobs(
        this._jobs,
        changed,
        deleted,
        job => matches(job, this._search, this._states),
        this._next === null
      );
    }
  }

  private _notice(job: JobRecord): void {
    const before = this._known.get(job.id) ?? null;
    this._known.set(job.id, job);
    this._jobChanged.emit({ before, after: job });
    const sentence = before ? announcement(before, job) : '';
    if (sentence) {
      this._announced.emit(sentence);
    }
  }

  private readonly _announced = new Signal<this, string>(this);
  private readonly _jobChanged = new Signal<this, IJobChange>(this);
  private readonly _known = new Map<string, JobRecord>();
  private readonly _searching: Debouncer;
  private _asked = 0;
  private _counts = NO_COUNTS;
  private _error: Error | null = null;
  private _jobs: readonly JobRecord[] | null = null;
  private _loadingMore = false;
  private _next: string | null = null;
  private _search = '';
  private _selected: string | null = null;
  private _states: readonly JobState[] = [];
  private _subscription: IDisposable | null = null;
  private _watchers = 0;
}

/** Does a job belong into a list searched and filtered so? As the server decides it. */
export function matches(
  job: JobRecord,
  search: string,
  states: readonly JobState[]
): boolean {
  if (states.length && !states.includes(job.state)) {
    return false;
  }
  const sought = search.trim().toLowerCase();
  return (
    !sought ||
    [job.name, job.id, job.source].some(text =>
      text.toLowerCase().includes(sought)
    )
  );
}

/**
 * The list with changes in place, newest first, deleted ones gone. Jobs older than the last
 * one shown wait for their page, unless the list is `complete`.
 */
export function mergeJobs(
  jobs: readonly JobRecord[],
  changed: readonly JobRecord[],
  deleted: readonly string[],
  belongs: (job: JobRecord) => boolean,
  complete: boolean
): JobRecord[] {
  const time = (job: JobRecord) => Date.parse(job.submitted_at);
  const news = new Map(changed.map(job => [job.id, job]));
  const gone = new Set(deleted);
  const kept = jobs
    .filter(job => !gone.has(job.id))
    .map(job => news.get(job.id) ?? job)
    .filter(belongs);
  const shown = new Set(jobs.map(job => job.id));
  const oldest =
    complete || !jobs.length ? -Infinity : time(jobs[jobs.length - 1]);
  const added = changed.filter(
    job =>
      !shown.has(job.id) &&
      !gone.has(job.id) &&
      belongs(job) &&
      time(job) >= oldest
  );
  return [...added, ...kept].sort((a, b) => time(b) - time(a));
}
