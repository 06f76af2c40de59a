import {
  ellipsesIcon,
  launchIcon,
  refreshIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import type { JobRecord, JobState } from '../api/types';
import { IconButton } from '../components/buttons';
import { nextIndex } from '../components/keys';
import { useModel, useTicks, WatchingWidget } from '../components/panel';
import { count } from '../components/quantities';
import { Failure, LiveLine, Notice, Skeleton } from '../components/states';
import { jobsIcon } from '../components/icons';
import type { IJobActions } from './actions';
import type { JobsModel } from './model';
import { JobRow } from './row';
import { isActive } from './words';

const FILTERS: { label: string; states: JobState[] }[] = [
  { label: 'All states', states: [] },
  {
    label: 'Not ended',
    states: ['queued', 'starting', 'running', 'evicted']
  },
  { label: 'Running', states: ['starting', 'running'] },
  { label: 'Queued', states: ['queued', 'evicted'] },
  { label: 'Succeeded', states: ['succeeded'] },
  { label: 'Failed', states: ['failed'] },
  { label: 'Cancelled', states: ['cancelled'] }
];

interface IJobsProps {
  model: JobsModel;
  actions: IJobActions;
  /** True in the side bar: there the list can also be opened as a tab. */
  narrow: boolean;
}

/** All jobs: counts, search, filter, list. */
export function Jobs(props: IJobsProps): React.ReactElement {
  const { model } = props;
  useModel(model);
  return (
    <div className="jp-Mlinfn-jobs">
      <Header {...props} />
      <LiveLine live={model.live} topic="jobs" />
      <List {...props} />
    </div>
  );
}

function Header({ model, actions, narrow }: IJobsProps): React.ReactElement {
  const { running, queued, failed_today, total } = model.counts;
  const chosen = FILTERS.findIndex(
    filter => filter.states.join() === model.states.join()
  );
  return (
    <div className="jp-Mlinfn-header">
      <div className="jp-Mlinfn-headerLine">
        <h2>Jobs</h2>
        <button
          className="jp-Mlinfn-button jp-mod-accept"
          onClick={() => actions.submit()}
        >
          Submit…
        </button>
        <IconButton
          label="Ask again"
          icon={refreshIcon}
          run={() => void model.refresh()}
        />
        <IconButton
          label="Clean up old jobs…"
          icon={ellipsesIcon}
          run={() => actions.cleanUp()}
        />
        {narrow && (
          <IconButton
            label="Open jobs in a tab"
            icon={launchIcon}
            run={() => actions.openAsTab()}
          />
        )}
      </div>
      {total > 0 && (
        <p className="jp-Mlinfn-counts">
          Running {running} · queued {queued} · failed {failed_today} today
        </p>
      )}
      {(total > 0 || model.filtered) && (
        <div className="jp-Mlinfn-headerLine">
          <input
            type="search"
            className="jp-Mlinfn-input"
            placeholder="Search"
            aria-label="Search jobs by name"
            value={model.search}
            onChange={event => model.setSearch(event.target.value)}
          />
          <select
            className="jp-Mlinfn-select"
            aria-label="Show jobs in these states"
            value={chosen}
            onChange={event =>
              model.setStates(FILTERS[Number(event.target.value)].states)
            }
          >
            {FILTERS.map((filter, index) => (
              <option key={filter.label} value={index}>
                {filter.label}
              </option>
            ))}
          </select>
        </div>
      )}
    </div>
  );
}

function List(props: IJobsProps): React.ReactElement {
  const { model, actions } = props;
  if (model.error && !model.jobs) {
    return (
      <Failure
        error={model.error}
        what="The jobs could not be read"
        retry={() => void model.refresh()}
      />
    );
  }
  if (!model.jobs) {
    return <Skeleton lines={6} />;
  }
  if (!model.jobs.length && model.filtered) {
    return (
      <Notice
        icon={jobsIcon}
        title="No job is like this"
        live
        action={{
          label: 'Show all jobs',
          run: () => {
            model.setSearch('');
            model.setStates([]);
          }
        }}
      />
    );
  }
  if (!model.jobs.length) {
    return (
      <Notice
        icon={jobsIcon}
        title="No jobs yet"
        action={{ label: 'Submit a notebook…', run: () => actions.submit() }}
      >
        <p>
          A job runs a notebook from top to bottom with the parameters you give,
          also when this page is closed.
        </p>
      </Notice>
    );
  }
  return <Rows {...props} jobs={model.jobs} />;
}

function Rows(props: IJobsProps & { jobs: readonly JobRecord[] }) {
  const { model, actions, jobs } = props;
  useTicks(jobs.some(isActive));
  const grid = React.useRef<HTMLDivElement>(null);
  const found = jobs.findIndex(job => job.id === model.selected);
  const current = Math.max(0, found);
  const onKey = (event: React.KeyboardEvent) => {
    const next = nextIndex(event.key, current, jobs.length);
    if (next !== null) {
      event.preventDefault();
      model.select(jobs[next].id);
      const row = grid.current?.children[next];
      (row as HTMLElement | undefined)?.focus();
    } else if (
      event.target instanceof HTMLElement &&
      event.target.role !== 'row'
    ) {
      return;
    } else if (event.key === 'Enter') {
      event.preventDefault();
      actions.open(jobs[current].id);
    } else if (event.key === 'Delete') {
      event.preventDefault();
      actions.remove(jobs[current]);
    }
  };
  return (
    <>
      <div
        ref={grid}
        role="grid"
        aria-label="Jobs"
        className="jp-Mlinfn-list"
        onKeyDown={onKey}
      >
        {jobs.map((job, index) => (
          <JobRow
            key={job.id}
            job={job}
            selected={job.id === model.selected}
            focusable={index === current}
            actions={actions}
            onFocus={() => model.select(job.id)}
          />
        ))}
      </div>
      {model.error && (
        <p className="jp-Mlinfn-liveLine" role="alert">
          {model.error.message} What you see may be old.
        </p>
      )}
      {model.hasMore && (
        <button
          className="jp-Mlinfn-button jp-Mlinfn-more"
          disabled={model.loadingMore}
          onClick={() => void model.loadMore()}
        >
          {model.loadingMore
            ? 'Loading…'
            : `Load more (${count(jobs.length, 'job')} of ${model.counts.total} shown)`}
        </button>
      )}
    </>
  );
}

/** The list as a widget, for the side bar and for the main area. */
export class JobsWidget extends WatchingWidget {
  constructor(private readonly _props: IJobsProps) {
    super(_props.model);
    this.title.icon = jobsIcon;
    this.title.caption = 'Jobs';
    if (!_props.narrow) {
      this.title.label = 'Jobs';
      this.title.closable = true;
    }
  }

  protected render(): React.ReactElement {
    return <Jobs {...this._props} />;
  }
}
