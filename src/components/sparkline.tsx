import * as React from 'react';

interface ISparklineProps {
  /** Percent, oldest first; `null` where it is not known. */
  values: readonly (number | null)[];
  /** How many points fill the width. */
  points: number;
  /** What a screen reader says instead. */
  label: string;
}

const HEIGHT = 20;

/** The last minute as a line; what is not known is hatched, never drawn as zero. */
export const Sparkline = React.memo(
  (props: ISparklineProps): React.ReactElement => {
    const id = React.useId();
    const { values, points, label } = props;
    const offset = points - values.length;
    const unknown = gaps(values);
    return (
      <svg
        className="jp-Mlinfn-sparkline"
        role="img"
        aria-label={label}
        viewBox={`0 0 ${points - 1} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        {unknown.length > 0 && (
          <defs>
            <pattern
              id={id}
              width="3"
              height="4"
              patternUnits="userSpaceOnUse"
              patternTransform="rotate(45)"
            >
              <line y2="4" className="jp-Mlinfn-hatch" />
            </pattern>
          </defs>
        )}
        {unknown.map(([from, to]) => (
          <rect
            key={from}
            x={offset + from - 0.5}
            width={to - from + 1}
            height={HEIGHT}
            fill={`url(#${id})`}
          />
        ))}
        <path d={linePath(values, offset)} vectorEffect="non-scaling-stroke" />
      </svg>
    );
  }
);

/** The line through the known values, broken where they are not known. */
export function linePath(
  values: readonly (number | null)[],
  offset: number
): string {
  let path = '';
  let pen = 'M';
  values.forEach((value, index) => {
    if (value === null) {
      pen = 'M';
      return;
    }
    const share = Math.min(100, Math.max(0, value)) / 100;
    const y = 1 + (HEIGHT - 2) * (1 - share);
    path += `${pen}${offset + index} ${y.toFixed(1)}`;
    pen = 'L';
  });
  return path;
}

/** Runs of unknown values, as first and last index. */
export function gaps(values: readonly (number | null)[]): [number, number][] {
  const found: [number, number][] = [];
  values.forEach((value, index) => {
    const last = found[found.length - 1];
    if (value !== null) {
      return;
    }
    if (last && last[1] === index - 1) {
      last[1] = index;
    } else {
      found.push([index, index]);
    }
  });
  return found;
}
