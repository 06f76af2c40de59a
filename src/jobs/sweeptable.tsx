import { notebookIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { JobState, Point } from '../api/types';
import { Button } from '../components/buttons';
import { nextIndex } from '../components/keys';
import { Windowed } from '../components/windowed';
import type { PointsModel } from './pointsmodel';
import { StateShape } from './state';
import { cellText, runTimeText } from './sweepwords';

const ROW_HEIGHT = 26;
const MOST_COLUMNS = 12;

const STATES: { label: string; states: JobState[] }[] = [
  { label: 'All states', states: [] },
  { label: 'Failed', states: ['failed'] },
  { label: 'Done', states: ['succeeded'] },
  { label: 'Running', states: ['starting', 'running'] },
  { label: 'Waiting', states: ['queued', 'evicted'] },
  { label: 'Cancelled', states: ['cancelled'] }
];

interface ITableProps {
  model: PointsModel;
  saveCsv: () => void;
  /** The notebook of a point as far as it is; absent where there is none. */
  openNotebook?: (point: Point) => void;
}

const keyOf = (point: Point) => String(point.index);

/** Parameters, states and recorded values of the points; only the rows in sight are drawn. */
export function SweepTable(props: ITableProps): React.ReactElement {
  const { model, saveCsv } = props;
  const { query } = model;
  return (
    <div className="jp-Mlinfn-pointsPart">
      <div className="jp-Mlinfn-headerLine">
        <input
          type="search"
          className="jp-Mlinfn-input"
          placeholder="Search the values of parameters"
          aria-label="Search points by the values of their parameters"
          value={query.search}
          onChange={event => model.change({ search: event.target.value })}
        />
        <select
          className="jp-Mlinfn-select"
          aria-label="Show points in these states"
          value={STATES.findIndex(
            one => one.states.join() === query.states.join()
          )}
          onChange={event =>
            model.change({ states: STATES[Number(event.target.value)].states })
          }
        >
          {STATES.map((one, index) => (
            <option key={one.label} value={index}>
              {one.label}
            </option>
          ))}
        </select>
        <Button onClick={saveCsv}>Save as CSV</Button>
      </div>
      <Grid model={model} openNotebook={props.openNotebook} />
      {model.error && (
        <p className="jp-Mlinfn-liveLine" role="alert">
          {model.error.message} What you see may be old.
        </p>
      )}
    </div>
  );
}

function Grid(
  props: Pick<ITableProps, 'model' | 'openNotebook'>
): React.ReactElement {
  const { model, openNotebook } = props;
  const { columns, points } = model;
  const parameters = columns.parameters.slice(0, MOST_COLUMNS);
  const values = columns.values.slice(0, MOST_COLUMNS);
  const hidden =
    columns.parameters.length +
    columns.values.length -
    parameters.length -
    values.length;
  const [focused, setFocused] = React.useState(0);
  const grid = React.useRef<HTMLDivElement>(null);
  const wanted = React.useRef<number | null>(null);
  const found = points ?? [];
  const current = Math.min(focused, Math.max(0, found.length - 1));
  React.useEffect(() => {
    if (wanted.current !== null && found[wanted.current]) {
      const key = keyOf(found[wanted.current]);
      const row = grid.current?.querySelector<HTMLElement>(
        `[data-point="${key}"]`
      );
      wanted.current = null;
      row?.focus();
      row?.scrollIntoView({ block: 'nearest' });
    }
  });
  const onKey = (event: React.KeyboardEvent) => {
    const onRow = (event.target as HTMLElement).dataset.point !== undefined;
    const next = onRow ? nextIndex(event.key, current, found.length) : null;
    if (next !== null) {
      event.preventDefault();
      wanted.current = next;
      setFocused(next);
    } else if (onRow && event.key === 'Enter') {
      event.preventDefault();
      model.open(found[current].index);
    }
  };
  const template = `52px 104px 80px repeat(${parameters.length + values.length}, minmax(84px, 1fr)) 92px`;
  const style = { gridTemplateColumns: template };
  return (
    <>
      <div className="jp-Mlinfn-points">
        <div
          ref={grid}
          role="grid"
          aria-label="Points"
          aria-rowcount={model.matching + 1}
          className="jp-Mlinfn-pointGrid"
          onKeyDown={onKey}
        >
          <div
            role="row"
            aria-rowindex={1}
            className="jp-Mlinfn-pointRow jp-Mlinfn-pointHead"
            style={style}
          >
            <Head model={model} name="index" label="#" />
            <Head model={model} name="state" label="State" />
            <div role="columnheader">Notebook</div>
            {[...parameters, ...values].map(name => (
              <Head key={name} model={model} name={name} label={name} />
            ))}
            <Head model={model} name="seconds" label="Run time" />
          </div>
          <Windowed
            items={found}
            keyOf={keyOf}
            estimate={ROW_HEIGHT}
            pinned={found[current] ? keyOf(found[current]) : null}
            scroller=".jp-Mlinfn-points"
            onSight={seen =>
              seen.length > 0 &&
              seen[seen.length - 1] === found[found.length - 1] &&
              void model.loadMore()
            }
            draw={(point, index) => (
              <Row
                point={point}
                index={index}
                opened={model.opened?.index === point.index}
                focusable={index === current}
                parameters={parameters}
                values={values}
                style={style}
                onFocus={() => setFocused(index)}
                onOpen={() => model.open(point.index)}
                onNotebook={openNotebook}
              />
            )}
          />
        </div>
        {points && !points.length && (
          <p className="jp-Mlinfn-hint">No point is like this.</p>
        )}
      </div>
      {hidden > 0 && (
        <p className="jp-Mlinfn-hint">
          {hidden} more columns are in the CSV file.
        </p>
      )}
    </>
  );
}

function Head(props: {
  model: PointsModel;
  name: string;
  label: string;
}): React.ReactElement {
  const { model, name, label } = props;
  const { sort, order } = model.query;
  const sorted = sort === name;
  return (
    <div
      role="columnheader"
      aria-sort={
        sorted ? (order === 'asc' ? 'ascending' : 'descending') : 'none'
      }
    >
      <button
        className="jp-Mlinfn-link"
        title={`Sort by ${label}`}
        onClick={() => model.sortBy(name)}
      >
        {label}
        {sorted && (
          <span aria-hidden="true">{order === 'asc' ? ' ▴' : ' ▾'}</span>
        )}
      </button>
    </div>
  );
}

interface IRowProps {
  point: Point;
  index: number;
  opened: boolean;
  focusable: boolean;
  parameters: readonly string[];
  values: readonly string[];
  style: React.CSSProperties;
  onFocus: () => void;
  onOpen: () => void;
  onNotebook?: (point: Point) => void;
}

function Row(props: IRowProps): React.ReactElement {
  const { point, parameters, values } = props;
  const cells = [
    ...parameters.map(name => point.parameters[name]),
    ...values.map(name => point.values[name])
  ];
  return (
    <div
      role="row"
      aria-rowindex={props.index + 2}
      aria-selected={props.opened}
      className="jp-Mlinfn-pointRow"
      data-point={point.index}
      data-state={point.state}
      tabIndex={props.focusable ? 0 : -1}
      style={props.style}
      onFocus={props.onFocus}
      onClick={props.onOpen}
    >
      <div role="gridcell">{point.index}</div>
      <div role="gridcell" title={point.reason?.text}>
        <StateShape job={{ state: point.state, unknown_since: null }} />{' '}
        {point.cancelling ? 'cancelling' : point.state}
      </div>
      <div role="gridcell">
        {props.onNotebook && point.attempts > 0 && (
          <button
            className="jp-Mlinfn-iconButton"
            tabIndex={props.focusable ? 0 : -1}
            title={`Notebook of point ${point.index}, as far as it is`}
            aria-label={`Notebook of point ${point.index}`}
            onClick={event => {
              event.stopPropagation();
              props.onNotebook?.(point);
            }}
          >
            <notebookIcon.react tag="span" />
          </button>
        )}
      </div>
      {cells.map((value, index) => (
        <div key={index} role="gridcell" title={cellText(value)}>
          {cellText(value)}
        </div>
      ))}
      <div role="gridcell">{runTimeText(point)}</div>
    </div>
  );
}
