import { VDomModel } from '@jupyterlab/ui-components';
import { Debouncer } from '@lumino/polling';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Client } from '../api/client';
import type { LiveSocket } from '../api/live';
import type {
  FoundJobs,
  Frames,
  JobChoices,
  JobCounts,
  JobRecord
} from '../api/types';
import type { IJobFilter } from './filter';
import {
  compareJobs,
  groupOf,
  GROUPS,
  isFiltered,
  matches,
  NO_FILTER,
  queryOf
} from './filter';
import type { Entry, StateCounts } from './listing';
import { entriesOf, mergeJobs, unfinishedAfter } from './listing';
import { Selection } from './selection';
import { announcement } from './words';

const PAGE = 100;
const TYPING_PAUSE = 250;
const COUNT_PAUSE = 1000;

const NO_COUNTS: JobCounts = {
  running: 0,
  queued: 0,
  failed_today: 0,
  total: 0,
  by_state: {}
};

const NO_CHOICES: JobChoices = { backends: [], environments: [] };

/** A job as it was and as it is; one of the two is `null` when it came or went. */
export interface IJobChange {
  before: JobRecord | null;
  after: JobRecord | null;
}

/** The list of jobs: what the server last said; searched, filtered and grouped there. */
export class JobsModel extends VDomModel {
  constructor(
    readonly client: Client,
    readonly live: LiveSocket
  ) {
    super();
    this._searching = new Debouncer(() => this.refresh(), TYPING_PAUSE);
    this._counting = new Debouncer(() => this._count(), COUNT_PAUSE);
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

  /** Why the rest of a group could not be read; `null` when it can. */
  trouble(group: string): Error | null {
    return this._troubles.get(group) ?? null;
  }

  get filter(): IJobFilter {
    return this._filter;
  }

  get filtered(): boolean {
    return isFiltered(this._filter);
  }

  /** The groups that are closed. */
  get folded(): readonly string[] {
    return this._folded;
  }

  /** How many jobs match, by state, on all pages. */
  get matching(): StateCounts {
    return this._matching;
  }

  /** How many jobs match. */
  get found(): number {
    return Object.values(this._matching).reduce((sum, one) => sum + one, 0);
  }

  /** The places and environments that the list can be narrowed to. */
  get choices(): JobChoices {
    return this._choices;
  }

  /** The lines of the list, from the top; the same array until something changes. */
  get entries(): readonly Entry[] {
    const from = [this._jobs, this._matching, this._folded] as const;
    if (from.some((part, index) => part !== this._drawnFrom?.[index])) {
      this._drawnFrom = from;
      this._entries = entriesOf(this._jobs ?? [], this._matching, this._folded);
    }
    return this._entries;
  }

  /** The line the keyboard is on, and the jobs that are chosen. */
  readonly selection = new Selection(() => this.stateChanged.emit());

  /** The job the keyboard is on. */
  get selected(): string | null {
    const current = this.selection.current;
    return current && this._known.has(current) ? current : null;
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

  setSearch(search: string): void {
    this._filter = { ...this._filter, search };
    this.selection.clear();
    void this._searching.invoke();
  }

  /** Narrow the list, or widen it again. */
  setFilter(changes: Partial<IJobFilter>): void {
    this._filter = { ...this._filter, ...changes };
    this.selection.clear();
    void this.refresh();
  }

  /** Open a closed group, or close an open one. */
  toggle(group: string): void {
    this._folded = this._folded.includes(group)
      ? this._folded.filter(name => name !== group)
      : [...this._folded, group];
    this.stateChanged.emit();
    void this.refresh();
  }

  /** Show the list as it was shown before. */
  restore(filter: IJobFilter, folded: readonly string[]): void {
    this._filter = filter;
    this._folded = GROUPS.map(group => group.name).filter(name =>
      folded.includes(name)
    );
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

  /** Ask how many match, and for nothing else. */
  private async _count(): Promise<void> {
    if (this.isDisposed || !this.filtered) {
      return;
    }
    try {
      const page = await this.client.jobs({ ...this._query(), limit: 1 });
      this._matching = page.matching;
      this.stateChanged.emit();
    } catch (error) {
      this._error = error as Error;
      this.stateChanged.emit();
    }
  }

  /** Ask for the next page of a group; `again` also where that failed before. */
  async loadMore(group: string, again = false): Promise<void> {
    const cursor = this._unfinished.get(group);
    const failed = this._troubles.has(group) && !again;
    if (cursor === undefined || failed || this._loading.has(group)) {
      return;
    }
    this._loading.add(group);
    this._troubles.delete(group);
    const asked = this._asked;
    const others = GROUPS.map(one => one.name).filter(name => name !== group);
    try {
      const page = await this.client.jobs({
        ...queryOf(this._filter, others),
        limit: PAGE,
        cursor
      });
      if (asked === this._asked && !this.isDisposed) {
        this._append(group, page);
      }
    } catch (error) {
      this._troubles.set(group, error as Error);
    } finally {
      this._loading.delete(group);
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
    this._counting.dispose();
    Signal.clearData(this);
    super.dispose();
  }

  private _query() {
    return { ...queryOf(this._filter, this._folded), limit: PAGE };
  }

  private _onStatus(): void {
    this.stateChanged.emit();
  }

  private _onFrame(frame: Frames['jobs']): void {
    if (frame.type === 'delta') {
      const delta = frame.data;
      this._counts = delta.counts;
      this._merge(delta.changed, delta.deleted);
      if (this.filtered) {
        void this._counting.invoke();
      } else {
        this._matching = delta.counts.by_state;
      }
      this.stateChanged.emit();
    } else if (this.filtered || frame.data.next !== null) {
      void this.refresh();
    } else {
      this._asked += 1;
      const { jobs, counts } = frame.data;
      this._take({
        jobs: [...jobs].sort(compareJobs),
        counts,
        next: null,
        matching: counts.by_state,
        choices: choicesOf(jobs)
      });
    }
  }

  private _append(group: string, page: FoundJobs): void {
    this._matching = page.matching;
    if (page.next === null) {
      this._unfinished.delete(group);
    } else {
      this._unfinished.set(group, page.next);
    }
    const shown = new Set(this._jobs?.map(job => job.id));
    const fresh = page.jobs.filter(job => !shown.has(job.id));
    fresh.forEach(job => this._known.set(job.id, job));
    this._jobs = [...(this._jobs ?? []), ...fresh].sort(compareJobs);
  }

  private _take(page: FoundJobs): void {
    this._error = null;
    this._troubles.clear();
    this._unfinished = unfinishedAfter(page.jobs, page.next, page.matching);
    this._counts = page.counts;
    this._matching = page.matching;
    this._choices = page.choices ?? this._choices;
    page.jobs.forEach(job => this._notice(job));
    this._jobs = page.jobs;
    this.stateChanged.emit();
  }

  private _merge(
    changed: readonly JobRecord[],
    deleted: readonly string[]
  ): void {
    changed.forEach(job => this._notice(job));
    this.selection.drop(deleted);
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
        job => this._belongs(job),
        new Set(this._unfinished.keys())
      );
    }
  }

  private _belongs(job: JobRecord): boolean {
    const group = GROUPS[groupOf(job.state)];
    return !this._folded.includes(group.name) && matches(job, this._filter);
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
  private readonly _counting: Debouncer;
  private _asked = 0;
  private _choices = NO_CHOICES;
  private _counts = NO_COUNTS;
  private _drawnFrom: readonly unknown[] | null = null;
  private _entries: readonly Entry[] = [];
  private _error: Error | null = null;
  private _filter = NO_FILTER;
  private _folded: readonly string[] = [];
  private _jobs: readonly JobRecord[] | null = null;
  private readonly _loading = new Set<string>();
  private _matching: StateCounts = {};
  private _subscription: IDisposable | null = null;
  private readonly _troubles = new Map<string, Error>();
  private _unfinished = new Map<string, string | null>();
  private _watchers = 0;
}

/** What a list that is here as a whole can be narrowed to. */
function choicesOf(jobs: readonly JobRecord[]): JobChoices {
  const sorted = (values: string[]) => [...new Set(values)].sort();
  return {
    backends: sorted(jobs.map(job => job.backend)),
    environments: sorted(jobs.map(job => job.environment.name))
  };
}
