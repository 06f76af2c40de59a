import { VDomModel } from '@jupyterlab/ui-components';

import type { Client } from '../api/client';
import type { JobDiff, JobRecord } from '../api/types';
import { likely } from './diffwords';

const CHOICES = 50;

/** One side of a comparison: a job, or one point of a sweep. */
export interface ISide {
  id: string;
  point: number | null;
}

/** Two jobs that are compared, or one that waits for the other to be chosen. */
export class DiffModel extends VDomModel {
  constructor(
    readonly client: Pick<Client, 'details' | 'diff' | 'jobs'>,
    a: ISide,
    b: ISide | null = null,
    /** False where the first side has to stay the first. */
    readonly swaps = true
  ) {
    super();
    this._a = a;
    this._b = b;
  }

  get a(): ISide {
    return this._a;
  }

  get b(): ISide | null {
    return this._b;
  }

  get diff(): JobDiff | null {
    return this._diff;
  }

  get error(): Error | null {
    return this._error;
  }

  /** Jobs to compare with; `null` until the server has answered. */
  get choices(): readonly JobRecord[] | null {
    return this._choices;
  }

  get search(): string {
    return this._search;
  }

  /** The record of a side, for what the comparison does not tell (is it a sweep?). */
  record(side: ISide): JobRecord | null {
    return this._records.get(side.id) ?? null;
  }

  /** Read what there is to show: the comparison, or the jobs to choose from. */
  async load(): Promise<void> {
    const call = (this._calls += 1);
    const { _a: a, _b: b } = this;
    try {
      await this._learn(a);
      const diff = b ? await this.client.diff(a, b) : null;
      if (b) {
        await this._learn(b);
      } else {
        await this._findChoices();
      }
      if (call !== this._calls) {
        return;
      }
      this._diff = diff;
      this._error = null;
    } catch (error) {
      if (call !== this._calls) {
        return;
      }
      this._error = error as Error;
    }
    this._changed();
  }

  /** Compare with this one. */
  choose(side: ISide): void {
    this._b = side;
    this._again();
  }

  /** Choose another job for the second side. */
  chooseAnew(): void {
    this._b = null;
    this._search = '';
    this._again();
  }

  setPoint(which: 'a' | 'b', point: number | null): void {
    if (which === 'a') {
      this._a = { ...this._a, point };
    } else if (this._b) {
      this._b = { ...this._b, point };
    }
    this._again();
  }

  swap(): void {
    if (this._b) {
      [this._a, this._b] = [this._b, this._a];
      this._again();
    }
  }

  /** Look for jobs to compare with. */
  async find(search: string): Promise<void> {
    this._search = search;
    this._changed();
    try {
      await this._findChoices();
      this._error = null;
    } catch (error) {
      this._error = error as Error;
    }
    this._changed();
  }

  private async _findChoices(): Promise<void> {
    const search = this._search;
    const answer = await this.client.jobs({ search, limit: CHOICES });
    if (search !== this._search) {
      return;
    }
    this._choices = likely(this.record(this._a), answer.jobs);
    answer.jobs.forEach(job => this._records.set(job.id, job));
  }

  private async _learn({ id }: ISide): Promise<void> {
    if (!this._records.has(id)) {
      this._records.set(id, (await this.client.details(id)).job);
    }
  }

  private _again(): void {
    this._diff = null;
    this._error = null;
    this._changed();
    void this.load();
  }

  private _changed(): void {
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private _a: ISide;
  private _b: ISide | null;
  private _calls = 0;
  private _choices: readonly JobRecord[] | null = null;
  private _diff: JobDiff | null = null;
  private _error: Error | null = null;
  private readonly _records = new Map<string, JobRecord>();
  private _search = '';
}
