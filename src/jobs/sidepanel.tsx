import * as React from 'react';

import type { LiveSocket } from '../api/live';
import type { IJobActions } from './actions';
import type { JobModel } from './jobmodel';
import type { JobsModel } from './model';
import { JobsWidget } from './panel';
import type { SharedModel } from './sharedmodel';
import { Job } from './tab';

interface IPanelProps {
  model: JobsModel;
  live: LiveSocket;
  actions: IJobActions;
  narrow: boolean;
  shared?: SharedModel;
}

/** The list in the side bar; shows one job in its place where there are no tabs. */
export class JobsPanel extends JobsWidget {
  constructor(private readonly _panel: IPanelProps) {
    super(_panel);
  }

  /** Show a job instead of the list. */
  showJob(job: JobModel): void {
    this._back();
    this._job = job;
    this._watching = job.watch();
    this.update();
  }

  protected render(): React.ReactElement {
    if (!this._job) {
      return super.render();
    }
    return (
      <Job
        model={this._job}
        live={this._panel.live}
        actions={this._panel.actions}
        onBack={() => {
          this._back();
          this.update();
        }}
      />
    );
  }

  private _back(): void {
    this._watching?.dispose();
    this._watching = null;
    this._job?.dispose();
    this._job = null;
  }

  private _job: JobModel | null = null;
  private _watching: { dispose(): void } | null = null;
}
