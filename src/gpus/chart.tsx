import * as React from 'react';
import type uPlot from 'uplot';

import type { GpuHistory } from '../api/types';
import { useTheme } from '../components/theme';

interface IChartProps {
  history: GpuHistory;
  seconds: number;
}

/** Percent busy and temperature over time; drag to zoom, double click to go back. */
export function HistoryChart(props: IChartProps): React.ReactElement {
  const { history, seconds } = props;
  const node = React.useRef<HTMLDivElement>(null);
  const plot = React.useRef<uPlot | null>(null);
  const newest = React.useRef(history);
  newest.current = history;
  const theme = useTheme();
  React.useEffect(() => {
    const place = node.current;
    let wanted = true;
    let watcher: ResizeObserver | null = null;
    void import('uplot').then(({ default: Plot }) => {
      if (!wanted || !place) {
        return;
      }
      const width = Math.max(120, place.clientWidth);
      plot.current = new Plot(
        options(place, width, seconds),
        series(newest.current),
        place
      );
      watcher = new ResizeObserver(() =>
        plot.current?.setSize({
          width: Math.max(120, place.clientWidth),
          height: HEIGHT
        })
      );
      watcher.observe(place);
    });
    return () => {
      wanted = false;
      watcher?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [seconds, theme]);
  React.useEffect(() => {
    plot.current?.setData(series(history));
  }, [history]);
  return (
    <div
      ref={node}
      className="jp-Mlinfn-chart"
      role="img"
      aria-label={summary(history)}
    />
  );
}

const HEIGHT = 130;

/** So many intervals without a sample mean that nobody looked. */
const GAP = 5;

/** The columns of the chart; where nobody looked for a while the lines are broken. */
export function series(
  history: GpuHistory
): [number[], (number | null)[], (number | null)[]] {
  const columns: ReturnType<typeof series> = [[], [], []];
  history.times.forEach((time, index) => {
    const before = history.times[index - 1];
    if (time - before > GAP * history.interval) {
      columns[0].push(before + history.interval);
      columns[1].push(null);
      columns[2].push(null);
    }
    columns[0].push(time);
    columns[1].push(history.percent[index]);
    columns[2].push(history.temperature[index]);
  });
  return columns;
}

function options(
  place: HTMLElement,
  width: number,
  seconds: number
): uPlot.Options {
  const style = getComputedStyle(place);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--jp-ui-font-color1'),
    grid: { stroke: colour('--jp-border-color2'), width: 1 },
    ticks: { show: false },
    font: `11px ${colour('--jp-ui-font-family') || 'sans-serif'}`
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { points: { show: false } },
    scales: {
      '%': { range: [0, 100] },
      x: { range: (_, first, last) => [Math.min(first, last - seconds), last] }
    },
    axes: [
      {
        ...axis,
        values: (_, ticks) => ticks.map(tick => clock(tick, seconds)),
        space: 60,
        size: 28
      },
      { ...axis, scale: '%', size: 32, values: (_, ticks) => ticks.map(String) }
    ],
    series: [
      {},
      {
        label: 'busy',
        scale: '%',
        stroke: colour('--jp-brand-color1'),
        width: 1.5,
        spanGaps: false
      },
      {
        label: 'temperature',
        scale: '%',
        stroke: colour('--jp-warn-color1'),
        width: 1,
        dash: [4, 3],
        spanGaps: false
      }
    ]
  };
}

function clock(epoch: number, seconds: number): string {
  return new Date(epoch * 1000).toLocaleTimeString([], {
    hour: '2-digit',
    hourCycle: 'h23',
    minute: '2-digit',
    second: seconds <= 300 ? '2-digit' : undefined
  });
}

/** What the chart shows, in a sentence. */
export function summary(history: GpuHistory): string {
  const known = history.percent.filter(value => value !== null);
  if (!known.length) {
    return 'How busy it was is not known for this time.';
  }
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  return (
    `Busy ${Math.round(Math.min(...known))} to ${Math.round(Math.max(...known))} %, ` +
    `${Math.round(mean)} % on average.`
  );
}
