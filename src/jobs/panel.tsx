import {
  closeIcon,
  ellipsesIcon,
  launchIcon,
  refreshIcon
} from '@jupyterlab/ui-components';
import * as React from 'react';

import type { BulkVerb } from '../api/client';
import { Button, IconButton } from '../components/buttons';
import { useModel, WatchingWidget } from '../components/panel';
import { count } from '../components/quantities';
import { Failure, LiveLine, Notice, Skeleton } from '../components/states';
import { jobsIcon } from '../components/icons';
import type { IJobActions } from './actions';
import { NO_FILTER } from './filter';
import { FilterBar } from './filterbar';
import { JobList } from './joblist';
import type { JobsModel } from './model';
import { SharedList } from './sharedlist';
import type { SharedModel } from './sharedmodel';

interface IJobsProps {
  model: JobsModel;
  actions: IJobActions;
  /** True in the side bar: there the list can also be opened as a tab. */
  narrow: boolean;
  /** What colleagues share. */
  shared?: SharedModel;
}

/** All jobs: counts, search, filter, list. */
export function Jobs(props: IJobsProps): React.ReactElement {
  const { model } = props;
  useModel(model);
  const [others, setOthers] = React.useState(false);
  const offered = useOffered(props.shared);
  const node = React.useRef<HTMLDivElement>(null);
  const onKey = (event: React.KeyboardEvent) => {
    if (event.key === '/' && !isTyping(event.target)) {
      event.preventDefault();
      node.current?.querySelector<HTMLElement>('input[type=search]')?.focus();
    }
  };
  return (
    <div ref={node} className="jp-Mlinfn-jobs" onKeyDown={onKey}>
      <Header {...props} others={others && offered} />
      {offered && (
        <div className="jp-Mlinfn-whose">
          <select
            className="jp-Mlinfn-select"
            aria-label="Whose jobs"
            value={others ? 'others' : 'mine'}
            onChange={event => {
              setOthers(event.target.value === 'others');
              void props.shared?.refresh();
            }}
          >
            <option value="mine">My jobs</option>
            <option value="others">Shared with me</option>
          </select>
        </div>
      )}
      {others && offered && props.shared ? (
        <SharedList model={props.shared} actions={props.actions} />
      ) : (
        <>
          <LiveLine live={model.live} topic="jobs" />
          <List {...props} />
        </>
      )}
    </div>
  );
}

/** Whether there is a place for shared jobs; asked once, when the list is first drawn. */
function useOffered(shared?: SharedModel): boolean {
  const [offered, setOffered] = React.useState(shared?.offered ?? false);
  React.useEffect(() => {
    if (!shared) {
      return;
    }
    const look = () => setOffered(shared.offered);
    shared.stateChanged.connect(look);
    void shared.refresh();
    return () => {
      shared.stateChanged.disconnect(look);
    };
  }, [shared]);
  return offered;
}

function Header(props: IJobsProps & { others: boolean }): React.ReactElement {
  const { model, actions, narrow, others } = props;
  const { running, queued, failed_today, total } = model.counts;
  return (
    <div className="jp-Mlinfn-header">
      <div className="jp-Mlinfn-headerLine">
        <h2>Jobs</h2>
        <Button kind="accept" onClick={() => actions.submit()}>
          Submit…
        </Button>
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
      {!others && (total > 0 || model.filtered) && (
        <FilterBar model={model} copyLink={() => actions.copyLink()} />
      )}
      {!others && <Chosen model={model} actions={actions} narrow={narrow} />}
    </div>
  );
}

function isTyping(target: EventTarget): boolean {
  return (
    target instanceof HTMLElement &&
    ['INPUT', 'SELECT', 'TEXTAREA'].includes(target.tagName)
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
  if (!model.found && model.filtered) {
    return (
      <Notice
        icon={jobsIcon}
        title="No job is like this"
        live
        action={{
          label: 'Show all jobs',
          run: () => model.setFilter(NO_FILTER)
        }}
      />
    );
  }
  if (!model.entries.length) {
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
  return <Rows {...props} />;
}

function Rows(props: IJobsProps): React.ReactElement {
  const { model } = props;
  return (
    <>
      <JobList {...props} />
      {model.error && (
        <p className="jp-Mlinfn-liveLine" role="alert">
          {model.error.message} What you see may be old.
        </p>
      )}
    </>
  );
}

/** What can be done with the jobs that are chosen. */
function Chosen({ model, actions }: IJobsProps): React.ReactElement | null {
  const { selection } = model;
  const number = selection.all ? model.found : selection.chosen.size;
  if (!selection.chosen.size) {
    return null;
  }
  const button = (label: string, verb: BulkVerb) => (
    <Button onClick={() => actions.bulk(verb)}>{label}</Button>
  );
  return (
    <div className="jp-Mlinfn-chosen" role="toolbar" aria-label="Chosen jobs">
      <span role="status" className="jp-Mlinfn-numbers">
        {selection.all
          ? `All ${count(number, 'job')} that match`
          : `${count(number, 'job')} chosen`}
      </span>
      {!selection.all && model.found > number && (
        <button
          className="jp-Mlinfn-link jp-Mlinfn-underlined"
          onClick={() => actions.chooseAll()}
        >
          Choose all {model.found.toLocaleString('en')}
        </button>
      )}
      <span className="jp-Mlinfn-chosenActions">
        {button('Cancel…', 'cancel')}
        {button('Rerun…', 'rerun')}
        {button('Delete…', 'delete')}
        <IconButton
          label="Choose none"
          icon={closeIcon}
          run={() => selection.clear()}
        />
      </span>
    </div>
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
