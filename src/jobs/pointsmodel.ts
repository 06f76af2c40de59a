import { VDomModel } from '@jupyterlab/ui-components';
import { Debouncer, Throttler } from '@lumino/polling';

import type { IPointsSource } from '../api/client';
import type { JobState, Point, PointPage } from '../api/types';

const PAGE = 200;
const MOST = 500;
const TYPING_PAUSE = 250;
const LOOK_EVERY = 2000;
const PLOT_EVERY = 4000;

/** Which points of a sweep a table shows, in which order. */
export interface IPointsQuery {
  states: readonly JobState[];
  search: string;
  /** A parameter, a value, or `index`, `state`, `seconds`. */
  sort: string;
  order: 'asc' | 'desc';
}

const FIRST: IPointsQuery = {
  states: [],
  search: '',
  sort: 'index',
  order: 'asc'
};

/** The points of one sweep: the table, sorted by the server, and all of them for the plot. */
export class PointsModel extends VDomModel {
  constructor(
    readonly id: string,
    readonly client: IPointsSource
  ) {
    super();
    this._searching = new Debouncer(() => this.refresh(), TYPING_PAUSE);
    this._looking = new Throttler(() => this.refresh(), LOOK_EVERY);
    this._plotting = new Throttler(() => this._readAll(), PLOT_EVERY);
  }

  get query(): IPointsQuery {
    return this._query;
  }

  /** The points of the table that are loaded; `null` until the first answer. */
  get points(): readonly Point[] | null {
    return this._points;
  }

  /** All points in the order of their numbers, as the plot was drawn last. */
  get all(): readonly Point[] {
    return this._all;
  }

  get columns(): PointPage['columns'] {
    return this._columns;
  }

  /** How many points the table has when all are loaded. */
  get matching(): number {
    return this._matching;
  }

  get error(): Error | null {
    return this._error;
  }

  /** The point that is looked at closer. */
  get opened(): Point | null {
    const known = [...(this._points ?? []), ...this._all];
    return known.find(point => point.index === this._opened) ?? null;
  }

  open(index: number | null): void {
    this._opened = index;
    this.stateChanged.emit();
  }

  change(changes: Partial<IPointsQuery>): void {
    this._query = { ...this._query, ...changes };
    this.stateChanged.emit();
    if ('search' in changes) {
      void this._searching.invoke();
    } else {
      void this.refresh();
    }
  }

  /** Sort by a column; the other way round when it is sorted so already. */
  sortBy(sort: string): void {
    const again = this._query.sort === sort && this._query.order === 'asc';
    this.change({ sort, order: again ? 'desc' : 'asc' });
  }

  /** Something changed on the server: look soon, and not too often. */
  look(): void {
    if (!this.isDisposed) {
      void this._looking.invoke();
      void this._plotting.invoke();
    }
  }

  /** Read what the table shows again. */
  async refresh(): Promise<void> {
    const asked = ++this._asked;
    const wanted = Math.max(PAGE, this._points?.length ?? 0);
    try {
      const found: Point[] = [];
      let page: PointPage;
      let cursor: string | null = null;
      do {
        const limit = Math.min(MOST, wanted - found.length);
        page = await this._ask({ ...this._query, limit, cursor });
        found.push(...page.points);
        cursor = page.next;
      } while (cursor && found.length < wanted && asked === this._asked);
      if (asked === this._asked) {
        this._take(page, found);
      }
    } catch (error) {
      this._fail(error as Error);
    }
  }

  /** Read on behind the last point of the table. */
  readonly loadMore = async (): Promise<void> => {
    if (!this._next || this._loading) {
      return;
    }
    this._loading = true;
    const asked = this._asked;
    try {
      const page = await this._ask({
        ...this._query,
        limit: PAGE,
        cursor: this._next
      });
      if (asked === this._asked) {
        this._take(page, [...(this._points ?? []), ...page.points]);
      }
    } catch (error) {
      this._fail(error as Error);
    } finally {
      this._loading = false;
    }
  };

  dispose(): void {
    if (!this.isDisposed) {
      this._searching.dispose();
      this._looking.dispose();
      this._plotting.dispose();
      super.dispose();
    }
  }

  private async _readAll(): Promise<void> {
    try {
      const found: Point[] = [];
      let cursor: string | null = null;
      do {
        const page: PointPage = await this._ask({
          ...FIRST,
          limit: MOST,
          cursor
        });
        found.push(...page.points);
        cursor = page.next;
      } while (cursor && !this.isDisposed);
      this._all = found;
      this._tell();
    } catch (error) {
      this._fail(error as Error);
    }
  }

  private _ask(
    query: IPointsQuery & { limit: number; cursor: string | null }
  ): Promise<PointPage> {
    return this.client.points(this.id, query);
  }

  private _take(page: PointPage, points: readonly Point[]): void {
    this._error = null;
    this._points = points;
    this._next = page.next;
    this._columns = page.columns;
    this._matching = page.matching;
    this._tell();
  }

  private _fail(error: Error): void {
    this._error = error;
    this._tell();
  }

  private _tell(): void {
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private _all: readonly Point[] = [];
  private _asked = 0;
  private _columns: PointPage['columns'] = { parameters: [], values: [] };
  private _error: Error | null = null;
  private _loading = false;
  private readonly _looking: Throttler;
  private _matching = 0;
  private _next: string | null = null;
  private _opened: number | null = null;
  private readonly _plotting: Throttler;
  private _points: readonly Point[] | null = null;
  private _query = FIRST;
  private readonly _searching: Debouncer;
}
