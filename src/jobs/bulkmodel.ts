import { VDomModel } from '@jupyterlab/ui-components';

import type { BulkVerb, Client } from '../api/client';
import { newKey } from '../api/client';
import type { BulkAnswer, BulkResult } from '../api/types';
import type { IJobFilter } from './filter';
import { queryOf } from './filter';

/** What is meant: jobs by their ids, or all that match, so many. */
export type BulkTarget =
  { ids: readonly string[] } | { filter: IJobFilter; number: number };

const AT_ONCE = 100;

/** One thing done to many jobs, piece by piece, so that one sees how far it is. */
export class BulkModel extends VDomModel {
  constructor(
    private readonly _client: Client,
    readonly verb: BulkVerb,
    target: BulkTarget
  ) {
    super();
    if ('ids' in target) {
      this._left = [...target.ids];
      this.total = target.ids.length;
    } else {
      const asked = queryOf(target.filter);
      this._matching = {
        state: [...(asked.states ?? [])],
        backend: [...(asked.backends ?? [])],
        environment: [...(asked.environments ?? [])],
        search: asked.search || null,
        since: asked.since ?? null,
        sweep: asked.sweep ?? null
      };
      this.total = target.number;
    }
  }

  /** How many jobs it is about. */
  readonly total: number;

  /** Delete their output folders too. */
  outputs = false;

  get state(): 'asked' | 'running' | 'stopped' | 'done' {
    return this._state;
  }

  /** How many jobs it has worked. */
  get succeeded(): number {
    return this._succeeded;
  }

  /** How many jobs have a result, good or bad. */
  get done(): number {
    return this._succeeded + this._failed.length;
  }

  /** The jobs it did not work for, with the reason in words. */
  get failed(): readonly BulkResult[] {
    return this._failed;
  }

  /** Why it stopped before the end. */
  get error(): Error | null {
    return this._error;
  }

  /** Begin, or go on after a stop; resolves when it stands still. */
  async run(): Promise<void> {
    this._state = 'running';
    this._error = null;
    this.stateChanged.emit();
    try {
      while (this._state === 'running') {
        await this._step();
      }
    } catch (error) {
      this._state = 'stopped';
      this._error = error as Error;
    }
    this.stateChanged.emit();
  }

  /** Begin no further piece. */
  stop(): void {
    if (this._state === 'running') {
      this._state = 'stopped';
      this.stateChanged.emit();
    }
  }

  private async _step(): Promise<void> {
    const { outputs, verb } = this;
    const named = this._left.slice(0, AT_ONCE);
    const answer = this._matching
      ? await this._client.bulk(
          verb,
          { matching: this._matching, cursor: this._cursor, outputs },
          this._key
        )
      : await this._client.bulk(verb, { jobs: named, outputs }, this._key);
    this._take(answer);
    const over = this._matching
      ? answer.next === null
      : !this._left.length || !answer.results.length;
    if (over) {
      this._state = 'done';
    }
    this.stateChanged.emit();
  }

  private _take(answer: BulkAnswer): void {
    this._cursor = answer.next;
    const had = new Set(answer.results.map(result => result.id));
    this._left = this._left.filter(id => !had.has(id));
    for (const result of answer.results) {
      if (result.ok) {
        this._succeeded += 1;
      } else {
        this._failed.push(result);
      }
    }
  }

  private _cursor: string | null = null;
  private _error: Error | null = null;
  private readonly _failed: BulkResult[] = [];
  // one click: a piece that is sent twice, because its answer was lost, counts once
  private readonly _key = newKey();
  private _left: string[] = [];
  private readonly _matching: Parameters<Client['bulk']>[1]['matching'] | null =
    null;
  private _state: 'asked' | 'running' | 'stopped' | 'done' = 'asked';
  private _succeeded = 0;
}
