import * as React from 'react';

import type { Task } from '../api/types';
import { useTicks } from './panel';
import { ProgressBar } from './progress';
import { showClock } from './quantities';
import { amountText, phaseText, taskShare } from './taskwords';

/** Phase, current package, how far, and for how long. */
export function TaskProgress({ task }: { task: Task }): React.ReactElement {
  useTicks(task.state === 'running');
  const { event } = task;
  const share = taskShare(event);
  const seconds = (Date.now() - Date.parse(task.started_at)) / 1000;
  return (
    <div className="jp-Mlinfn-taskProgress">
      <div className="jp-Mlinfn-taskLine">
        <span>{phaseText(task)}</span>
        <span className="jp-Mlinfn-numbers">{amountText(event)}</span>
        <span className="jp-Mlinfn-numbers jp-Mlinfn-hint">
          {showClock(seconds)}
        </span>
      </div>
      {share === null ? (
        <div className="jp-Mlinfn-bar jp-mod-unknown" aria-hidden="true" />
      ) : (
        <ProgressBar share={share} label={`${phaseText(task)}: ${task.name}`} />
      )}
      <div className="jp-Mlinfn-taskText" title={event?.text}>
        {event?.text || '\u00a0'}
      </div>
    </div>
  );
}
