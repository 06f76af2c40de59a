/**
 * How a sweep and its points are spoken of, and what of them can be drawn. Pure.
 */
import type { JobState, Point, SweepCounts } from '../api/types';
import { count, showDuration } from '../components/quantities';

/** The states of points in the order of the bar, with the word for their number. */
export const POINT_STATES: readonly [JobState, string][] = [
  ['succeeded', 'done'],
  ['failed', 'failed'],
  ['cancelled', 'cancelled'],
  ['running', 'running'],
  ['starting', 'starting'],
  ['evicted', 'evicted'],
  ['queued', 'queued']
];

/** `37 done · 1 failed · 3 running · 59 queued`; what is none is left out. */
export function countsText(counts: SweepCounts): string {
  return POINT_STATES.filter(([state]) => counts[state as keyof SweepCounts])
    .map(
      ([state, word]) =>
        `${(counts[state as keyof SweepCounts] ?? 0).toLocaleString('en')} ${word}`
    )
    .join(' · ');
}

/** `100 points`. */
export function pointsText(counts: SweepCounts): string {
  return count(counts.points, 'point');
}

/** Seconds a point has run, or ran; `null` before it started. */
export function pointSeconds(point: Point, now = Date.now()): number | null {
  if (!point.started_at) {
    return null;
  }
  const end = point.ended_at ? Date.parse(point.ended_at) : now;
  return Math.max(0, (end - Date.parse(point.started_at)) / 1000);
}

export function runTimeText(point: Point, now = Date.now()): string {
  const seconds = pointSeconds(point, now);
  return seconds === null ? '' : showDuration(seconds);
}

/** A number as one reads it in a table; other values as they are written. */
export function cellText(value: unknown): string {
  if (value === undefined) {
    return '';
  }
  if (typeof value === 'number' && !Number.isInteger(value)) {
    return String(Number(value.toPrecision(6)));
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What one axis of the plot shows: `#` is the number of the point. */
export type Source = '#' | `parameter:${string}` | `value:${string}`;

/** The value of a point along an axis, as it was given. */
export function along(point: Point, source: Source): unknown {
  if (source === '#') {
    return point.index;
  }
  const name = source.slice(source.indexOf(':') + 1);
  return source.startsWith('parameter:')
    ? point.parameters[name]
    : point.values[name];
}

/** The name of an axis as people know it. */
export function sourceName(source: Source): string {
  return source === '#' ? 'point' : source.slice(source.indexOf(':') + 1);
}

/** The number of a value on an axis; `null` where it has none. */
export function numberOf(value: unknown): number | null {
  if (typeof value === 'boolean') {
    return value ? 1 : 0;
  }
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/** What is drawn: columns sorted by x, the points behind them, and names where x has words. */
export interface IPlotted {
  x: number[];
  y: number[];
  points: Point[];
  /** The words that stand at 0, 1, 2… of the x axis; `null` when it has numbers. */
  words: readonly string[] | null;
}

/** The points that have a number for both axes; words along x become places in their order. */
export function plotted(
  points: readonly Point[],
  x: Source,
  y: Source
): IPlotted {
  const given = points.filter(point => numberOf(along(point, y)) !== null);
  const numeric = given.every(point => {
    const value = along(point, x);
    return typeof value !== 'boolean' && numberOf(value) !== null;
  });
  const words = numeric
    ? null
    : [...new Set(given.map(point => cellText(along(point, x))))].sort();
  const place = (point: Point) =>
    words
      ? words.indexOf(cellText(along(point, x)))
      : (numberOf(along(point, x)) ?? 0);
  const sorted = [...given].sort(
    (a, b) => place(a) - place(b) || a.index - b.index
  );
  return {
    x: sorted.map(place),
    y: sorted.map(point => numberOf(along(point, y)) ?? 0),
    points: sorted,
    words
  };
}

/** What the plot shows, in a sentence. */
export function plotSummary(drawn: IPlotted, x: Source, y: Source): string {
  const names = `${sourceName(y)} against ${sourceName(x)}`;
  if (!drawn.y.length) {
    return `No point has a number for ${names} yet.`;
  }
  let low = 0;
  let high = 0;
  drawn.y.forEach((value, index) => {
    low = value < drawn.y[low] ? index : low;
    high = value > drawn.y[high] ? index : high;
  });
  return (
    `${count(drawn.y.length, 'point')}, ${names}: ` +
    `lowest ${cellText(drawn.y[low])} at point ${drawn.points[low].index}, ` +
    `highest ${cellText(drawn.y[high])} at point ${drawn.points[high].index}.`
  );
}
