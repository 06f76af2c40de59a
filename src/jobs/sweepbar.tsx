import * as React from 'react';

import type { SweepCounts } from '../api/types';
import { countsText, POINT_STATES, pointsText } from './sweepwords';

/** How many points are in which state: a bar, and its numbers in words. */
export function SweepBar(props: {
  counts: SweepCounts;
  /** Only the bar and the words of what is not queued, for one line of a list. */
  short?: boolean;
}): React.ReactElement {
  const { counts } = props;
  const words = countsText(counts);
  return (
    <div className="jp-Mlinfn-sweep">
      <div
        className="jp-Mlinfn-sweepBar"
        role="img"
        aria-label={`${pointsText(counts)}: ${words}`}
      >
        {POINT_STATES.map(([state]) => {
          const number = counts[state as keyof SweepCounts] ?? 0;
          return number ? (
            <span
              key={state}
              data-state={state}
              style={{ flexGrow: number }}
              title={`${number} ${state}`}
            />
          ) : null;
        })}
      </div>
      <p className="jp-Mlinfn-numbers">
        {props.short ? words : `${pointsText(counts)}: ${words}`}
        {!props.short && counts.throttle
          ? ` · at most ${counts.throttle} at once`
          : ''}
      </p>
    </div>
  );
}
