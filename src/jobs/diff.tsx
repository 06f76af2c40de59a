import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { DiffedJob, DiffItem, DiffSection, JobDiff } from '../api/types';
import { Button } from '../components/buttons';
import { jobsIcon } from '../components/icons';
import { useModel } from '../components/panel';
import { count, showTime } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import type { DiffModel } from './diffmodel';
import { Choose } from './diffchoice';
import {
  found,
  MARKS,
  sectionText,
  showValue,
  STANDINGS,
  verdictText
} from './diffwords';

interface IDiffProps {
  model: DiffModel;
  /** Open the tab of a job. */
  open: (id: string) => void;
}

/** Two jobs side by side: what differs is open, what is equal is folded. */
export function Diff(props: IDiffProps): React.ReactElement {
  const { model, open } = props;
  useModel(model);
  const { diff, error } = model;
  return (
    <article className="jp-Mlinfn-diff" aria-label="Compare jobs">
      {error ? (
        <Failure
          error={error}
          what="The jobs could not be compared"
          retry={() => void model.load()}
        />
      ) : !model.b ? (
        <Choose model={model} />
      ) : diff ? (
        <Compared model={model} diff={diff} open={open} />
      ) : (
        <Skeleton lines={10} />
      )}
    </article>
  );
}

function Compared(props: {
  model: DiffModel;
  diff: JobDiff;
  open: (id: string) => void;
}): React.ReactElement {
  const { model, diff, open } = props;
  const [search, setSearch] = React.useState('');
  const verdict =
    diff.same_outputs === null ? '?' : diff.same_outputs ? '=' : '≠';
  return (
    <>
      <header className="jp-Mlinfn-diffHead">
        <h2>Compare jobs</h2>
        <p
          className="jp-Mlinfn-diffVerdict"
          data-same={String(diff.same_outputs)}
        >
          <span aria-hidden="true">{verdict}</span> {verdictText(diff)}
        </p>
        <p className="jp-Mlinfn-lead">{diff.text}</p>
        <div className="jp-Mlinfn-diffSides">
          <Side label="A" job={diff.a} model={model} open={open} />
          <Side label="B" job={diff.b} model={model} open={open} />
        </div>
        <div className="jp-Mlinfn-actions">
          {model.swaps && (
            <Button onClick={() => model.swap()}>Swap A and B</Button>
          )}
          <Button onClick={() => model.chooseAnew()}>
            Compare A with another…
          </Button>
          <input
            className="jp-Mlinfn-input"
            type="search"
            placeholder="Search names, values and lines"
            aria-label="Search in the comparison"
            value={search}
            onChange={event => setSearch(event.target.value)}
          />
        </div>
      </header>
      <Sections diff={diff} search={search} />
    </>
  );
}

function Sections(props: {
  diff: JobDiff;
  search: string;
}): React.ReactElement {
  const { diff, search } = props;
  const shown = diff.sections
    .map(section => ({ section, items: found(section.items, search) }))
    .filter(
      ({ section, items }) => items.length || (!search && section.note !== null)
    );
  if (!shown.length) {
    return <p role="status">Nothing in this comparison matches.</p>;
  }
  return (
    <>
      {shown.map(({ section, items }) => (
        <Section
          key={`${section.name}-${search ? 'found' : 'all'}`}
          section={section}
          items={items}
          searched={search !== ''}
        />
      ))}
    </>
  );
}

function Side(props: {
  label: 'A' | 'B';
  job: DiffedJob;
  model: DiffModel;
  open: (id: string) => void;
}): React.ReactElement {
  const { label, job, model } = props;
  const which = label === 'A' ? 'a' : 'b';
  const sweep = model.record(job)?.sweep;
  return (
    <section className="jp-Mlinfn-diffSide" aria-label={`Job ${label}`}>
      <strong>{label}</strong>
      <div>
        <button
          className="jp-Mlinfn-link"
          onClick={() => props.open(job.id)}
          title={`Open job ${job.id}`}
        >
          {job.name}
        </button>{' '}
        <span className="jp-Mlinfn-hint">
          {job.id} · {job.state} · {job.backend} · {showTime(job.submitted_at)}
        </span>
        {sweep && (
          <PointField
            label={`Point of ${label}`}
            point={job.point}
            points={sweep.points}
            onChange={point => model.setPoint(which, point)}
          />
        )}
      </div>
    </section>
  );
}

/** Which point of a sweep; nothing typed means the sweep as a whole. */
function PointField(props: {
  label: string;
  point: number | null;
  points: number;
  onChange: (point: number | null) => void;
}): React.ReactElement {
  const { point, points, onChange } = props;
  const [text, setText] = React.useState(point === null ? '' : String(point));
  const number = text === '' ? null : Number(text);
  const good =
    number === null ||
    (Number.isInteger(number) && number >= 0 && number < points);
  return (
    <form
      className="jp-Mlinfn-diffPoint"
      onSubmit={event => {
        event.preventDefault();
        if (good) {
          onChange(number);
        }
      }}
    >
      <input
        className="jp-Mlinfn-input"
        inputMode="numeric"
        placeholder={`point 0–${points - 1}`}
        aria-label={props.label}
        aria-invalid={!good}
        value={text}
        onChange={event => setText(event.target.value.trim())}
      />
      <Button disabled={!good}>Show</Button>
    </form>
  );
}

function Section(props: {
  section: DiffSection;
  items: readonly DiffItem[];
  searched: boolean;
}): React.ReactElement {
  const { section, items, searched } = props;
  const [everything, setEverything] = React.useState(searched);
  const [open, setOpen] = React.useState(searched || section.same !== true);
  const told = items.filter(one => one.standing !== 'equal');
  const equal = items.length - told.length;
  const shown = everything ? items : told;
  return (
    <details
      className="jp-Mlinfn-diffSection"
      data-section={section.name}
      data-same={String(section.same)}
      open={open}
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>
        <span className="jp-Mlinfn-diffTitle">{section.title}</span>{' '}
        <span className="jp-Mlinfn-hint jp-Mlinfn-numbers">
          {sectionText(section)}
        </span>
      </summary>
      {section.note && <p className="jp-Mlinfn-hint">{section.note}</p>}
      {shown.length > 0 && <Items title={section.title} items={shown} />}
      {equal > 0 && !searched && (
        <button
          className="jp-Mlinfn-link"
          aria-expanded={everything}
          onClick={() => setEverything(!everything)}
        >
          {everything
            ? 'Hide what is equal'
            : `Show ${count(equal, 'equal line')}`}
        </button>
      )}
    </details>
  );
}

function Items(props: {
  title: string;
  items: readonly DiffItem[];
}): React.ReactElement {
  return (
    <table className="jp-Mlinfn-table jp-Mlinfn-diffTable">
      <caption className="jp-Mlinfn-hidden">{props.title}</caption>
      <thead>
        <tr>
          <th scope="col">
            <span className="jp-Mlinfn-hidden">How they stand</span>
          </th>
          <th scope="col">What</th>
          <th scope="col">A</th>
          <th scope="col">B</th>
        </tr>
      </thead>
      <tbody>
        {props.items.map((item, index) => (
          <Item key={`${item.name}-${index}`} item={item} />
        ))}
      </tbody>
    </table>
  );
}

function Item({ item }: { item: DiffItem }): React.ReactElement {
  const whole = (side: 'a' | 'b') =>
    typeof item[side] === 'string' ? String(item[side]) : undefined;
  return (
    <>
      <tr data-standing={item.standing}>
        <td
          className="jp-Mlinfn-diffMark"
          title={STANDINGS[item.standing]}
          aria-label={STANDINGS[item.standing]}
        >
          {MARKS[item.standing]}
        </td>
        <th scope="row">{item.name}</th>
        <td data-side="A" title={whole('a')}>
          {showValue(item, 'a')}
        </td>
        <td data-side="B" title={whole('b')}>
          {showValue(item, 'b')}
        </td>
      </tr>
      {item.detail.length > 0 && (
        <tr className="jp-Mlinfn-diffLines">
          <td colSpan={4}>
            <Lines name={item.name} lines={item.detail} />
          </td>
        </tr>
      )}
    </>
  );
}

/** Lines of text; the first character of each says on which side it is. */
function Lines(props: {
  name: string;
  lines: readonly string[];
}): React.ReactElement {
  return (
    <div
      className="jp-Mlinfn-diffText"
      tabIndex={0}
      role="group"
      aria-label={`Lines of ${props.name}`}
    >
      {props.lines.map((line, index) => (
        <code key={index} data-mark={line[0]}>
          {line}
        </code>
      ))}
    </div>
  );
}

/** A comparison in the main area. */
export class DiffWidget extends ReactWidget {
  constructor(private readonly _props: IDiffProps) {
    super();
    this.addClass('jp-Mlinfn-panel');
    this.title.icon = jobsIcon;
    this.title.closable = true;
    _props.model.stateChanged.connect(this._onChange, this);
    this._onChange();
  }

  get model(): DiffModel {
    return this._props.model;
  }

  dispose(): void {
    if (!this.isDisposed) {
      super.dispose();
      this._props.model.dispose();
    }
  }

  protected render(): React.ReactElement {
    return <Diff {...this._props} />;
  }

  private _onChange(): void {
    const { a, b } = this._props.model;
    this.title.label = `Compare ${b ? `${a.id} and ${b.id}` : a.id}`;
    this.title.caption = b
      ? `What differs between the jobs ${a.id} and ${b.id}`
      : `Choose a job to compare ${a.id} with`;
  }
}
