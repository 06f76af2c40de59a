import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Draft } from '../api/types';
import { Button } from '../components/buttons';
import { Field, TextField } from '../components/field';
import { problemOf } from './fields';
import type { IPartProps } from './parts';
import type { IAxis, ISweepFields } from './sweepfields';
import { freeNames, isSweep } from './sweepfields';
import { parameterText } from './words';

/** One job with many points: which parameters take which values. */
export function SweepForm(props: IPartProps): React.ReactElement {
  const { model, form, fields } = props;
  const { sweep } = fields;
  const change = (changes: Partial<ISweepFields>) =>
    model.change({ sweep: { ...sweep, ...changes } });
  const setAxis = (index: number, changes: Partial<IAxis>) =>
    change({
      axes: sweep.axes.map((axis, i) =>
        i === index ? { ...axis, ...changes } : axis
      )
    });
  const names = freeNames(form, sweep);
  if (model.options.rerunOf && model.asRecorded) {
    return <RecordedSweep {...props} />;
  }
  return (
    <fieldset>
      <legend>Sweep</legend>
      {sweep.axes.map((axis, index) => (
        <AxisField
          key={index}
          axis={axis}
          names={[...(axis.name ? [axis.name] : []), ...names]}
          problem={problemOf(model.problems, `sweep.raw_axes.${axis.name}`)}
          onChange={changes => setAxis(index, changes)}
          onRemove={() =>
            change({ axes: sweep.axes.filter((_, i) => i !== index) })
          }
        />
      ))}
      <Button
        onClick={() =>
          change({ axes: [...sweep.axes, { name: names[0] ?? '', text: '' }] })
        }
      >
        {sweep.axes.length
          ? 'Vary another parameter'
          : 'Run it for several values…'}
      </Button>
      {(isSweep(sweep) || sweep.axes.length > 0) && (
        <>
          <div className="jp-Mlinfn-columns">
            <TextField
              label="Table"
              value={sweep.file}
              hint="A CSV file beside the notebook; its first line names the parameters."
              problem={problemOf(model.problems, 'sweep.file')}
              onChange={file => change({ file })}
            />
            <TextField
              label="At once"
              value={sweep.throttle}
              hint="At most so many points; empty: as many as there is room for."
              problem={problemOf(model.problems, 'sweep.throttle')}
              onChange={throttle => change({ throttle })}
            />
          </div>
          <p
            role="status"
            className={
              sweepProblem(model.problems)
                ? 'jp-Mlinfn-problem'
                : 'jp-Mlinfn-sweepCount'
            }
          >
            {sweepProblem(model.problems) ?? countText(model.draft)}
          </p>
        </>
      )}
    </fieldset>
  );
}

/** What is wrong with the sweep as a whole, not with one of its fields. */
function sweepProblem(
  problems: Parameters<typeof problemOf>[0]
): string | null {
  const found = problems.find(
    one =>
      one.code === 'bad-sweep' &&
      !one.field?.startsWith('sweep.raw_axes.') &&
      !['sweep.file', 'sweep.throttle'].includes(one.field ?? '')
  );
  return found?.text ?? null;
}

/** `12 points: lr=0.1 · seed=0; lr=0.1 · seed=1; …` */
export function countText(draft: Pick<Draft, 'sweep'> | null): string {
  const sweep = draft?.sweep;
  if (!sweep) {
    return 'Type the values, for example 0.1, 0.01 or 0..99 or 0..1:0.25.';
  }
  const first = sweep.first.slice(0, 3).map(parameterText).join('; ');
  const number = sweep.points.toLocaleString('en');
  const points = sweep.points === 1 ? '1 point' : `${number} points`;
  const more = sweep.points > Math.min(3, sweep.first.length) ? '; …' : '';
  return `${points}: ${first}${more}`;
}

function RecordedSweep({ model }: IPartProps): React.ReactElement | null {
  const sweep = model.options.rerunOf?.sweep;
  return sweep ? (
    <fieldset>
      <legend>Sweep</legend>
      <p>All {sweep.points.toLocaleString('en')} points run again.</p>
    </fieldset>
  ) : null;
}

function AxisField(props: {
  axis: IAxis;
  names: readonly string[];
  problem: string | null;
  onChange: (changes: Partial<IAxis>) => void;
  onRemove: () => void;
}): React.ReactElement {
  const { axis, names, problem, onChange, onRemove } = props;
  const list = React.useId();
  return (
    <Field
      label={
        axis.name ? (
          <>
            Values of <code>{axis.name}</code>
          </>
        ) : (
          'Values'
        )
      }
      problem={problem}
    >
      {(id, describedBy) => (
        <div className="jp-Mlinfn-extra">
          <input
            className="jp-Mlinfn-input jp-mod-code"
            aria-label="Parameter to vary"
            placeholder="name"
            list={list}
            spellCheck={false}
            value={axis.name}
            onChange={event => onChange({ name: event.target.value })}
          />
          <datalist id={list}>
            {names.map(name => (
              <option key={name} value={name} />
            ))}
          </datalist>
          <span aria-hidden="true">=</span>
          <input
            id={id}
            className="jp-Mlinfn-input jp-mod-code"
            type="text"
            spellCheck={false}
            placeholder="0.1, 0.01  or  0..99  or  0..1:0.25"
            aria-describedby={describedBy}
            aria-invalid={problem ? true : undefined}
            value={axis.text}
            onChange={event => onChange({ text: event.target.value })}
          />
          <button
            type="button"
            className="jp-Mlinfn-iconButton"
            title="Do not vary it"
            aria-label={`Do not vary ${axis.name || 'this parameter'}`}
            onClick={onRemove}
          >
            <closeIcon.react tag="span" />
          </button>
        </div>
      )}
    </Field>
  );
}
