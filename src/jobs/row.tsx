import { ellipsesIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { JobRecord } from '../api/types';
import { menuAt } from '../components/menu';
import { ProgressBar } from '../components/progress';
import type { IJobActions } from './actions';
import { placeText } from './places';
import { StateShape } from './state';
import {
  hasEnded,
  isActive,
  parameterText,
  progressText,
  remedy,
  share,
  stateWord,
  valuesText
} from './words';

interface IRowProps {
  job: JobRecord;
  selected: boolean;
  focusable: boolean;
  actions: IJobActions;
  onFocus: () => void;
}

/** One job of the list, two to four short lines. */
export function JobRow(props: IRowProps): React.ReactElement {
  const { job, actions } = props;
  const parameters = parameterText(job.parameters);
  const done = share(job);
  const tabIndex = props.focusable ? 0 : -1;
  const openMenu = (event: React.MouseEvent) =>
    menuAt(event, (x, y) => actions.showMenu(job, x, y));
  return (
    <div
      role="row"
      className="jp-Mlinfn-job"
      data-job-id={job.id}
      data-state={job.state}
      aria-selected={props.selected}
      tabIndex={tabIndex}
      onFocus={props.onFocus}
      onMouseDown={event => {
        if (event.detail > 1) {
          event.preventDefault(); // a double click opens; it need not mark a word
        }
      }}
      onDoubleClick={() => actions.open(job.id)}
      onContextMenu={openMenu}
    >
      <div role="gridcell" className="jp-Mlinfn-jobMain">
        <div className="jp-Mlinfn-jobName" title={job.source}>
          <StateShape job={job} />
          <button
            className="jp-Mlinfn-link"
            tabIndex={tabIndex}
            onClick={() => actions.open(job.id)}
          >
            {job.name}
          </button>
          {parameters && (
            <span className="jp-Mlinfn-jobParameters" title={parameters}>
              {parameters}
            </span>
          )}
        </div>
        <div className="jp-Mlinfn-jobFacts">
          <span className="jp-Mlinfn-stateWord">{stateWord(job)}</span>
          <span className="jp-Mlinfn-numbers">{progressText(job)}</span>
          <span className="jp-Mlinfn-place" title={placeText(job)}>
            {[job.backend, job.queue].filter(Boolean).join('/')}
          </span>
        </div>
        {isActive(job) && done !== null && (
          <ProgressBar share={done} label={`Cells of ${job.name} done`} />
        )}
        <RowNews job={job} />
        <RowReason job={job} actions={actions} tabIndex={tabIndex} />
      </div>
      <div role="gridcell" className="jp-Mlinfn-jobMenu">
        <button
          className="jp-Mlinfn-iconButton"
          tabIndex={tabIndex}
          title={`Actions for ${job.name}`}
          aria-label={`Actions for ${job.name}`}
          aria-haspopup="menu"
          onClick={openMenu}
        >
          <ellipsesIcon.react tag="span" />
        </button>
      </div>
    </div>
  );
}

/** What a running job last recorded or printed. */
function RowNews(props: { job: JobRecord }): React.ReactElement | null {
  const { job } = props;
  const progress = job.progress;
  if (hasEnded(job) || !progress) {
    return null;
  }
  const values = valuesText(progress.values);
  return (
    <>
      {values && <div className="jp-Mlinfn-values">{values}</div>}
      {progress.last_line && (
        <div className="jp-Mlinfn-lastLine" title={progress.last_line}>
          {progress.last_line}
        </div>
      )}
    </>
  );
}

/** Why it is so, in words, and the one button that helps. */
export function RowReason(props: {
  job: JobRecord;
  actions: IJobActions;
  tabIndex?: number;
  /** False where the same buttons stand beside it. */
  withButton?: boolean;
}): React.ReactElement | null {
  const { job, actions } = props;
  if (!job.reason || job.state === 'succeeded') {
    return null;
  }
  const help = remedy(job);
  const run = () => {
    switch (help?.action) {
      case 'rerun':
        return actions.rerun(job, help.resources);
      case 'edit':
        return actions.edit(job);
      case 'kernel':
        return actions.openKernel(job);
      case 'cleanup':
        return actions.cleanUp();
    }
  };
  return (
    <div className="jp-Mlinfn-reason">
      <span title={job.reason.text}>{job.reason.text}</span>
      {help && props.withButton !== false && (
        <button
          className="jp-Mlinfn-button"
          tabIndex={props.tabIndex}
          onClick={run}
        >
          {help.label}
        </button>
      )}
    </div>
  );
}
