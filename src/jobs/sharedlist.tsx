import * as React from 'react';

import type { SharedJob } from '../api/types';
import { jobsIcon } from '../components/icons';
import { useModel } from '../components/panel';
import { showTime } from '../components/quantities';
import { Failure, Notice, Skeleton } from '../components/states';
import type { IJobActions } from './actions';
import type { SharedModel } from './sharedmodel';
import { StateShape } from './state';
import { parameterText } from './words';

interface ISharedListProps {
  model: SharedModel;
  actions: IJobActions;
}

/** What colleagues share, newest first. */
export function SharedList(props: ISharedListProps): React.ReactElement {
  const { model, actions } = props;
  useModel(model);
  const [search, setSearch] = React.useState('');
  const { error, found } = model;
  if (error && !found) {
    return (
      <Failure
        error={error}
        what="The shared jobs could not be read"
        retry={() => void model.refresh()}
      />
    );
  }
  if (!found) {
    return <Skeleton lines={6} />;
  }
  if (!found.jobs.length && !found.problems.length) {
    return (
      <Notice icon={jobsIcon} title="Nobody shares a job here yet">
        <p>
          The page of a job that has ended has the button ‘Share…’: it puts a
          copy where your colleagues can see it.
        </p>
      </Notice>
    );
  }
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const jobs = found.jobs.filter(job =>
    words.every(word => textOf(job).includes(word))
  );
  return (
    <section aria-label="Shared jobs" className="jp-Mlinfn-shared">
      <div className="jp-Mlinfn-whose">
        <input
          type="search"
          className="jp-Mlinfn-input"
          placeholder="Search name, person or parameters"
          aria-label="Search shared jobs"
          value={search}
          onChange={event => setSearch(event.target.value)}
        />
      </div>
      <ul>
        {jobs.map(job => (
          <Row key={`${job.area}/${job.id}`} job={job} actions={actions} />
        ))}
      </ul>
      {!jobs.length && <p className="jp-Mlinfn-hint">Nothing is like this.</p>}
      {found.problems.map(problem => (
        <p key={problem.text} className="jp-Mlinfn-hint">
          {problem.text}
        </p>
      ))}
    </section>
  );
}

function Row(props: {
  job: SharedJob;
  actions: IJobActions;
}): React.ReactElement {
  const { job, actions } = props;
  const parameters = parameterText(job.parameters);
  return (
    <li data-shared-id={job.id}>
      <div className="jp-Mlinfn-jobName">
        <StateShape job={{ state: job.state, unknown_since: null }} />
        <button
          className="jp-Mlinfn-link"
          onClick={() => actions.openShared(job.area, job.id)}
        >
          {job.name}
        </button>
        {parameters && (
          <span className="jp-Mlinfn-jobParameters">{parameters}</span>
        )}
      </div>
      <div className="jp-Mlinfn-jobFacts">
        <span>{job.mine ? 'you' : job.owner}</span>
        <span className="jp-Mlinfn-numbers">{showTime(job.shared_at)}</span>
        <span className="jp-Mlinfn-place">{job.area}</span>
      </div>
    </li>
  );
}

function textOf(job: SharedJob): string {
  const { area, id, name, owner, parameters } = job;
  return `${id} ${name} ${owner} ${area} ${parameterText(parameters)}`.toLowerCase();
}
