import * as React from 'react';

import { Field, TextField } from '../components/field';
import type { RetryReason } from './fields';
import { problemOf } from './fields';
import type { IPartProps } from './parts';
import type { SubmitModel } from './submitmodel';

/** What is seldom needed: a name, files, a seed, what happens after an interruption. */
export function Advanced({ model, fields }: IPartProps): React.ReactElement {
  const area = (name: 'inputs' | 'outputs', label: string, hint: string) => (
    <Field label={label} hint={hint} problem={problemOf(model.problems, name)}>
      {(id, describedBy) => (
        <textarea
          id={id}
          aria-describedby={describedBy}
          className="jp-Mlinfn-input"
          rows={2}
          value={fields[name]}
          onChange={event => model.change({ [name]: event.target.value })}
        />
      )}
    </Field>
  );
  return (
    <details className="jp-Mlinfn-advanced">
      <summary>Advanced</summary>
      <TextField
        label="Name of the job"
        value={fields.name}
        hint="Empty: the notebook's name."
        problem={problemOf(model.problems, 'name')}
        onChange={name => model.change({ name })}
      />
      {area('inputs', 'Input files', 'One per line; recorded with the job.')}
      {area(
        'outputs',
        'Files to keep',
        'Patterns such as *.csv, one per line; copied beside the output notebook.'
      )}
      <label className="jp-Mlinfn-check">
        <input
          type="checkbox"
          checked={fields.evictable}
          onChange={event => model.change({ evictable: event.target.checked })}
        />
        May be interrupted and started again
      </label>
      <TextField
        label="Seed"
        value={fields.seed}
        hint={seedHint(model)}
        problem={problemOf(model.problems, 'seed')}
        onChange={seed => model.change({ seed })}
      />
      {!(model.options.rerunOf && model.asRecorded) && (
        <Retries model={model} fields={fields} />
      )}
    </details>
  );
}

function seedHint(model: SubmitModel): string {
  const { rerunOf } = model.options;
  return rerunOf && model.asRecorded
    ? 'Empty: as that job recorded it.'
    : 'The code finds it as MLINFN_SEED; recorded, so that a rerun has the same.';
}

const REASONS: readonly [RetryReason, string][] = [
  ['notebook-error', 'an error in the notebook'],
  ['command-failed', 'a command that failed'],
  ['kernel-died', 'its kernel died'],
  ['out-of-memory', 'too little memory'],
  ['time-limit', 'the time limit'],
  ['disk-full', 'a full disk']
];

/** How often it starts again by itself, and what for. */
function Retries(props: Pick<IPartProps, 'model' | 'fields'>) {
  const { model, fields } = props;
  const { retryOn } = fields;
  const toggle = (reason: RetryReason, wanted: boolean) =>
    model.change({
      retryOn: REASONS.map(([one]) => one).filter(one =>
        one === reason ? wanted : retryOn.includes(one)
      )
    });
  const some = !['', '0'].includes(fields.retries.trim());
  return (
    <>
      <TextField
        label="Start again at most"
        value={fields.retries}
        hint="Times, when its machine was lost or stopped."
        problem={problemOf(model.problems, 'retries')}
        onChange={retries => model.change({ retries })}
      />
      {some && (
        <div
          className="jp-Mlinfn-field"
          role="group"
          aria-label="Start again for these reasons too"
        >
          <span>Also after</span>
          <div className="jp-Mlinfn-choices">
            {REASONS.map(([reason, words]) => (
              <label key={reason} className="jp-Mlinfn-check">
                <input
                  type="checkbox"
                  checked={retryOn.includes(reason)}
                  onChange={event => toggle(reason, event.target.checked)}
                />
                {words}
              </label>
            ))}
          </div>
        </div>
      )}
    </>
  );
}
