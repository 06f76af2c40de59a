import { ellipsesIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { JobRecord } from '../api/types';
import { Button } from '../components/buttons';
import { menuAt } from '../components/menu';
import { ProgressBar } from '../components/progress';
import type { IJobActions } from './actions';
import { placeText } from './places';
import { StateShape } from './state';
import { SweepBar } from './sweepbar';
import { pointsText } from './sweepwords';
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
  /** Its place in the list, from 0. */
  index: number;
  /** The keyboard is here. */
  selected: boolean;
  chosen: boolean;
  /** Some jobs are chosen, so that every row shows its box. */
  choosing: boolean;
  focusable: boolean;
  actions: IJobActions;
  onFocus: () => void;
  /** Choose it, or choose it no longer; `extend`: all from where the range began. */
  onChoose: (extend: boolean) => void;
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
      aria-level={2}
      aria-rowindex={props.index + 1}
      aria-selected={props.chosen || props.selected}
      data-chosen={props.chosen}
      tabIndex={tabIndex}
      onFocus={props.onFocus}
      onMouseDown={event => {
        if (event.detail > 1 || event.shiftKey) {
          event.preventDefault(); // these need not mark words
        }
      }}
      onClick={event => {
        if (event.shiftKey || event.ctrlKey || event.metaKey) {
          props.onChoose(event.shiftKey);
        }
      }}
      onDoubleClick={() => actions.open(job.id)}
      onContextMenu={openMenu}
    >
      <div
        role="gridcell"
        className="jp-Mlinfn-jobBox"
        data-shown={props.choosing}
      >
        <input
          type="checkbox"
          tabIndex={-1}
          aria-label={`Choose ${job.name}`}
          checked={props.chosen}
          onClick={event => event.stopPropagation()}
          onChange={() => props.onChoose(false)}
        />
      </div>
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
          {job.sweep && (
            <span className="jp-Mlinfn-numbers">{pointsText(job.sweep)}</span>
          )}
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
        {isActive(job) && done !== null && !job.sweep && (
          <ProgressBar share={done} label={`Cells of ${job.name} done`} />
        )}
        {job.sweep ? (
          <SweepBar counts={job.sweep} short />
        ) : (
          <RowNews job={job} />
        )}
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
      {progress.last_line && isActive(job) && (
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
      case 'points':
        return actions.rerunPoints(job, 'failed');
      case 'edit':
        return actions.edit(job);
      case 'kernel':
        return actions.openKernel(job);
      case 'cleanup':
        return actions.cleanUp();
      case 'release':
        return actions.release(job);
    }
  };
  return (
    <div className="jp-Mlinfn-reason">
      <span title={job.reason.text}>{job.reason.text}</span>
      {help && props.withButton !== false && (
        <Button tabIndex={props.tabIndex} onClick={run}>
          {help.label}
        </Button>
      )}
    </div>
  );
}
