import * as React from 'react';
import type uPlot from 'uplot';

import { SelectField } from '../components/field';
import { useTheme } from '../components/theme';
import type { PointsModel } from './pointsmodel';
import type { IPlotted, Source } from './sweepwords';
import { cellText, plotSummary, plotted, sourceName } from './sweepwords';
import { parameterText } from './words';

const HEIGHT = 260;
/** So near, in pixels, the pointer must be to a point to mean it. */
const NEAR = 24;
/** On a logarithmic axis the frame lies so many times away from the outermost points. */
const LOG_ROOM = 1.5;
/** Names of what is recorded to count, and ends alike at every point. */
const COUNTER = /^(epoch|step|iteration|round)s?$/i;

/** A value of every point against one of its parameters; click a point to open it. */
export function SweepPlot(props: {
  model: PointsModel;
}): React.ReactElement | null {
  const { model } = props;
  const { all, columns } = model;
  const [x, setX] = React.useState<Source | null>(null);
  const [y, setY] = React.useState<Source | null>(null);
  const [log, setLog] = React.useState(false);
  const [near, setNear] = React.useState<number | null>(null);
  const parameters = columns.parameters.map(named('parameter'));
  const values = columns.values.map(named('value'));
  const along: Source = x ?? parameters[0]?.value ?? '#';
  const telling = values.find(one => !COUNTER.test(one.label)) ?? values[0];
  const up: Source | null = y ?? telling?.value ?? null;
  const drawn = React.useMemo(
    () => (up ? plotted(all, along, up) : null),
    [all, along, up]
  );
  if (!up || !drawn) {
    return (
      <p className="jp-Mlinfn-hint">
        A plot is drawn as soon as a point has recorded a value with{' '}
        <code>mlinfn.record(name=value)</code>.
      </p>
    );
  }
  const positive = drawn.words === null && drawn.x.every(value => value > 0);
  const pointed = near === null ? null : drawn.points[near];
  return (
    <div className="jp-Mlinfn-sweepPlot">
      <div className="jp-Mlinfn-plotAxes">
        <SelectField label="Plot" value={up} choices={values} onChange={setY} />
        <SelectField
          label="against"
          value={along}
          choices={[
            ...parameters,
            { label: 'number of the point', value: '#' as const },
            ...values
          ]}
          onChange={setX}
        />
        {positive && (
          <label className="jp-Mlinfn-check">
            <input
              type="checkbox"
              checked={log}
              onChange={event => setLog(event.target.checked)}
            />
            Logarithmic
          </label>
        )}
      </div>
      <Scatter
        drawn={drawn}
        x={along}
        y={up}
        log={log && positive}
        onNear={setNear}
        onOpen={index => model.open(index)}
      />
      <p className="jp-Mlinfn-hint" aria-live="off">
        {pointed
          ? `Point ${pointed.index}: ${parameterText(pointed.parameters)}; ` +
            `${sourceName(up)} ${cellText(drawn.y[near ?? 0])}`
          : plotSummary(drawn, along, up)}
      </p>
    </div>
  );
}

function named<K extends 'parameter' | 'value'>(kind: K) {
  return (name: string) => ({
    label: name,
    value: `${kind}:${name}` as const
  });
}

interface IScatterProps {
  drawn: IPlotted;
  x: Source;
  y: Source;
  log: boolean;
  onNear: (place: number | null) => void;
  onOpen: (index: number) => void;
}

function Scatter(props: IScatterProps): React.ReactElement {
  const { drawn, x, y, log } = props;
  const node = React.useRef<HTMLDivElement>(null);
  const newest = React.useRef(props);
  newest.current = props;
  const words = drawn.words?.join('\n') ?? '';
  const plot = React.useRef<uPlot | null>(null);
  const theme = useTheme();
  React.useEffect(() => {
    const place = node.current;
    let wanted = true;
    let watcher: ResizeObserver | null = null;
    const size = () => ({
      width: Math.max(160, place?.clientWidth ?? 0),
      height: HEIGHT
    });
    void import('uplot').then(({ default: Plot }) => {
      if (!wanted || !place) {
        return;
      }
      const made = new Plot(
        { ...options(place, newest), ...size() },
        [newest.current.drawn.x, newest.current.drawn.y],
        place
      );
      plot.current = made;
      watcher = new ResizeObserver(() => made.setSize(size()));
      watcher.observe(place);
    });
    return () => {
      wanted = false;
      watcher?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [x, y, log, words, theme]);
  React.useEffect(() => {
    plot.current?.setData([drawn.x, drawn.y]);
  }, [drawn]);
  return (
    <div
      ref={node}
      className="jp-Mlinfn-chart"
      role="img"
      aria-label={plotSummary(drawn, x, y)}
    />
  );
}

function options(
  place: HTMLElement,
  props: React.MutableRefObject<IScatterProps>
): Omit<uPlot.Options, 'width' | 'height'> {
  const style = getComputedStyle(place);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const { drawn, x, y, log } = props.current;
  const axis = {
    stroke: colour('--jp-ui-font-color1'),
    grid: { stroke: colour('--jp-border-color2'), width: 1 },
    ticks: { show: false },
    font: `11px ${colour('--jp-ui-font-family') || 'sans-serif'}`,
    labelFont: `12px ${colour('--jp-ui-font-family') || 'sans-serif'}`,
    labelSize: 20
  };
  const { words } = drawn;
  return {
    legend: { show: false },
    cursor: { show: false, drag: { x: false, y: false } },
    scales: {
      x: {
        time: false,
        distr: log ? 3 : 1,
        range: (_, low, high) =>
          log ? [low / LOG_ROOM, high * LOG_ROOM] : around(low, high)
      },
      y: { range: (_, low, high) => around(low, high) }
    },
    axes: [
      {
        ...axis,
        label: sourceName(x),
        size: 34,
        ...(words
          ? {
              splits: () => words.map((_, index) => index),
              values: (_: uPlot, ticks: number[]) =>
                ticks.map(tick => words[tick] ?? '')
            }
          : {})
      },
      { ...axis, label: sourceName(y), size: 56 }
    ],
    series: [
      {},
      {
        label: sourceName(y),
        stroke: colour('--jp-brand-color1'),
        fill: colour('--jp-brand-color1'),
        paths: () => null,
        points: {
          show: true,
          size: 6,
          fill: colour('--jp-brand-color1')
        }
      }
    ],
    hooks: {
      ready: [
        made => {
          made.over.addEventListener('mousemove', event =>
            props.current.onNear(nearest(made, event))
          );
          made.over.addEventListener('mouseleave', () =>
            props.current.onNear(null)
          );
          made.over.addEventListener('click', event => {
            const found = nearest(made, event);
            if (found !== null) {
              props.current.onOpen(props.current.drawn.points[found].index);
            }
          });
        }
      ]
    }
  };
}

/** The range with some room on both sides, so that no point lies on the frame. */
export function around(low: number, high: number): [number, number] {
  if (low === null || high === null) {
    return [0, 1];
  }
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

/** The place of the point under the pointer; `null` when none is near. */
function nearest(plot: uPlot, event: MouseEvent): number | null {
  const box = plot.over.getBoundingClientRect();
  const [left, top] = [event.clientX - box.left, event.clientY - box.top];
  const [xs, ys] = plot.data;
  let best = NEAR * NEAR;
  let found: number | null = null;
  xs.forEach((x, index) => {
    const y = ys?.[index];
    if (typeof y === 'number') {
      const dx = plot.valToPos(x, 'x') - left;
      const dy = plot.valToPos(y, 'y') - top;
      if (dx * dx + dy * dy < best) {
        best = dx * dx + dy * dy;
        found = index;
      }
    }
  });
  return found;
}
