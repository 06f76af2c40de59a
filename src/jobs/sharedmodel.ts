import { VDomModel } from '@jupyterlab/ui-components';

import type { SharingClient } from '../api/sharing';
import type { SharedJobs } from '../api/types';

/** What people share here: read when somebody looks. */
export class SharedModel extends VDomModel {
  constructor(readonly client: SharingClient) {
    super();
  }

  /** `null` until the first answer. */
  get found(): SharedJobs | null {
    return this._found;
  }

  get error(): Error | null {
    return this._error;
  }

  /** Whether there is a place for shared jobs at all. */
  get offered(): boolean {
    return (this._found?.areas.length ?? 0) > 0;
  }

  async refresh(): Promise<void> {
    try {
      this._found = await this.client.list();
      this._error = null;
    } catch (error) {
      this._error = error as Error;
    }
    if (!this.isDisposed) {
      this.stateChanged.emit();
    }
  }

  private _error: Error | null = null;
  private _found: SharedJobs | null = null;
}
