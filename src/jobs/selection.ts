/** Where the keyboard is in a list of lines, and which jobs are chosen for one action. */
export class Selection {
  constructor(private readonly _changed: () => void) {}

  /** The key of the line the keyboard is on. */
  get current(): string | null {
    return this._current;
  }

  get chosen(): ReadonlySet<string> {
    return this._chosen;
  }

  /** True when not only the chosen ones are meant, but all jobs that match. */
  get all(): boolean {
    return this._all;
  }

  /** Where a range begins. */
  get anchor(): string | null {
    return this._anchor;
  }

  /** Go to a line; what is chosen stays. */
  go(key: string | null): void {
    if (key !== this._current) {
      this._current = key;
      this._anchor = key;
      this._changed();
    }
  }

  /** Choose a job, or choose it no longer. */
  toggle(key: string): void {
    const chosen = new Set(this._chosen);
    if (!chosen.delete(key)) {
      chosen.add(key);
    }
    this._set(chosen);
    this._current = this._anchor = key;
    this._changed();
  }

  /** Choose these, from where the range began to `key`, and nothing else. */
  choose(keys: readonly string[], key: string): void {
    this._set(new Set(keys));
    this._current = key;
    this._changed();
  }

  /** Choose all that match, also those that are not loaded. */
  chooseAll(keys: readonly string[]): void {
    this._set(new Set(keys));
    this._all = true;
    this._changed();
  }

  /** Choose nothing; the keyboard stays where it is. */
  clear(): void {
    this._set(new Set());
    this._changed();
  }

  /** Forget jobs that are there no more. */
  drop(keys: Iterable<string>): void {
    const chosen = new Set(this._chosen);
    for (const key of keys) {
      chosen.delete(key);
    }
    if (chosen.size < this._chosen.size) {
      this._chosen = chosen;
    }
  }

  private _set(chosen: ReadonlySet<string>): void {
    this._chosen = chosen;
    this._all = false;
  }

  private _all = false;
  private _anchor: string | null = null;
  private _chosen: ReadonlySet<string> = new Set();
  private _current: string | null = null;
}
