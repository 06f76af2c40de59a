import * as React from 'react';

import type { JobRecord } from '../api/types';
import { stateWord } from './words';

const SHAPES: Record<string, React.ReactElement> = {
  queued: <circle cx="6" cy="6" r="4.5" strokeDasharray="2 2" />,
  starting: (
    <>
      <circle cx="6" cy="6" r="4.5" />
      <circle cx="6" cy="6" r="1.5" className="jp-Mlinfn-filled" />
    </>
  ),
  running: <circle cx="6" cy="6" r="5" className="jp-Mlinfn-filled" />,
  evicted: (
    <>
      <circle cx="6" cy="6" r="4.5" />
      <path d="M6 1.5a4.5 4.5 0 0 0 0 9z" className="jp-Mlinfn-filled" />
    </>
  ),
  succeeded: <path d="M1.5 6.5 4.8 10 10.5 2.5" />,
  failed: <path d="M2 2l8 8M10 2l-8 8" />,
  cancelled: (
    <>
      <circle cx="6" cy="6" r="4.5" />
      <path d="M3 9l6-6" />
    </>
  ),
  unknown: <path d="M3.5 3.8C3.5.5 8.5.5 8.5 3.5 8.5 5.5 6 5.3 6 7.6M6 10v1" />
};

/** Shape and word of a state: never colour alone. */
export function JobState(props: { job: JobRecord }): React.ReactElement {
  return (
    <span className="jp-Mlinfn-state">
      <StateShape job={props.job} />
      <span className="jp-Mlinfn-stateWord">{stateWord(props.job)}</span>
    </span>
  );
}

export function StateShape(props: {
  job: Pick<JobRecord, 'state' | 'unknown_since'>;
}): React.ReactElement {
  const { job } = props;
  const shape = job.unknown_since ? 'unknown' : job.state;
  return (
    <svg
      className="jp-Mlinfn-shape"
      data-state={shape}
      viewBox="0 0 12 12"
      width="12"
      height="12"
      aria-hidden="true"
    >
      {SHAPES[shape]}
    </svg>
  );
}
