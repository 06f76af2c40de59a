import * as React from 'react';

/** A bar of what is done; says its number to screen readers. */
export function ProgressBar(props: {
  share: number;
  label: string;
}): React.ReactElement {
  const percent = Math.round(props.share * 100);
  return (
    <div
      className="jp-Mlinfn-bar"
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <div className="jp-Mlinfn-barFill" style={{ width: `${percent}%` }} />
    </div>
  );
}
