import { launchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { JobRecord } from '../api/types';
import { Field, TextField } from '../components/field';
import { useModel } from '../components/panel';
import { showBytes, showDuration, showTime } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import { problemOf } from './fields';
import { Mismatch } from './mismatch';
import type { IPartProps } from './parts';
import { ParameterFields } from './parameters';
import { chosenQueue, limitsOf } from './places';
import type { SubmitModel } from './submitmodel';
import { Where } from './where';

interface ISubmitProps {
  model: SubmitModel;
  /** Called with the accepted job. */
  onDone: (job: JobRecord) => void;
  onCancel: () => void;
  /** Called when a job of a form that was closed meanwhile was not submitted. */
  onLost: (why: string) => void;
  /** Move the form into a tab; absent where there are no tabs. */
  onTab?: () => void;
}

/** What, with what, how much, where; and what would happen. */
export function Submit(props: ISubmitProps): React.ReactElement {
  const { model, onDone } = props;
  useModel(model);
  const submit = async (tryFirst: boolean) => {
    const job = await model.submit(tryFirst);
    if (job) {
      onDone(job);
    }
  };
  const mend = async () => {
    const job = await model.mendAndSubmit(false);
    if (job) {
      onDone(job);
    } else if (model.isDisposed && model.error) {
      props.onLost(model.error.message);
    }
  };
  const busy = model.submitting || model.mending !== null;
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.stopPropagation();
      void submit(false);
    }
  };
  return (
    <form
      className="jp-Mlinfn-submit"
      aria-label="Submit as job"
      onKeyDown={onKeyDown}
      onSubmit={event => {
        event.preventDefault();
        void submit(false);
      }}
    >
      <header className="jp-Mlinfn-headerLine">
        <h2>
          {model.options.rerunOf ? 'Edit and run again' : 'Submit as job'}
        </h2>
        {props.onTab && (
          <button
            type="button"
            className="jp-Mlinfn-iconButton"
            title="Open this form in a tab"
            aria-label="Open this form in a tab"
            onClick={props.onTab}
          >
            <launchIcon.react tag="span" />
          </button>
        )}
      </header>
      <div className="jp-Mlinfn-submitBody">
        <Body model={model} />
      </div>
      <Outlook model={model} />
      <Mismatch model={model} mend={() => void mend()} />
      <footer className="jp-Mlinfn-buttons">
        <button
          type="button"
          className="jp-Mlinfn-button"
          onClick={props.onCancel}
        >
          Close
        </button>
        {!(model.options.rerunOf && model.asRecorded) && (
          <button
            type="button"
            className="jp-Mlinfn-button"
            disabled={busy}
            title="Runs with a time limit of five minutes, to see whether it works"
            onClick={() => void submit(true)}
          >
            Try first
          </button>
        )}
        <button
          type="submit"
          className="jp-Mlinfn-button jp-mod-accept"
          disabled={busy}
          title="Ctrl+Enter or ⌘+Enter"
        >
          {model.submitting ? 'Submitting…' : 'Submit'}
        </button>
      </footer>
    </form>
  );
}

function Body({ model }: { model: SubmitModel }): React.ReactElement {
  const { form, fields } = model;
  if (!form || !fields) {
    return model.error ? (
      <Failure
        error={model.error}
        what="The notebook could not be read"
        retry={() => void model.load()}
      />
    ) : (
      <Skeleton lines={8} />
    );
  }
  const part = { model, form, fields };
  return (
    <FocusFirst>
      <What {...part} />
      <WithWhat {...part} />
      <HowMuch {...part} />
      <Where {...part} />
      <Advanced {...part} />
    </FocusFirst>
  );
}

/** The first field gets the focus as soon as there is one. */
function FocusFirst(props: { children: React.ReactNode }): React.ReactElement {
  const node = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    const field = node.current?.querySelector('input, select');
    if (field instanceof HTMLElement) {
      field.focus();
    }
  }, []);
  return <div ref={node}>{props.children}</div>;
}

function What(props: IPartProps): React.ReactElement {
  const { model, form } = props;
  const { rerunOf } = model.options;
  return (
    <fieldset>
      <legend>What</legend>
      <p className="jp-Mlinfn-path" title={form.source}>
        {form.source}
      </p>
      {form.saved_at && !rerunOf && (
        <p className="jp-Mlinfn-hint">as saved at {showTime(form.saved_at)}</p>
      )}
      {rerunOf && (
        <Field label="Code">
          {id => (
            <select
              id={id}
              className="jp-Mlinfn-select"
              value={model.asRecorded ? 'recorded' : 'now'}
              disabled={!model.sourceIsThere}
              onChange={event =>
                model.setAsRecorded(event.target.value === 'recorded')
              }
            >
              <option value="recorded">as that job recorded it</option>
              <option value="now">the notebook as it is now</option>
            </select>
          )}
        </Field>
      )}
      <ParameterFields {...props} />
    </fieldset>
  );
}

function WithWhat({ model, form, fields }: IPartProps): React.ReactElement {
  const environment = model.draft?.environment;
  const chosen = form.kernels.find(one => one.name === fields.environment);
  return (
    <fieldset>
      <legend>With what</legend>
      <Field
        label="Environment"
        problem={
          problemOf(model.problems, 'environment') ?? chosen?.problem ?? null
        }
        hint={
          environment?.digest
            ? `${environment.digest.slice(0, 19)}… (recorded with the job)`
            : undefined
        }
      >
        {id => (
          <select
            id={id}
            className="jp-Mlinfn-select"
            value={fields.environment}
            onChange={event =>
              model.change({ environment: event.target.value })
            }
          >
            {!chosen && (
              <option value={fields.environment}>
                {fields.environment || 'the notebook’s own'} (not here)
              </option>
            )}
            {form.kernels.map(kernel => (
              <option key={kernel.name} value={kernel.name}>
                {kernel.display_name}
                {kernel.problem ? ' (cannot start)' : ''}
              </option>
            ))}
          </select>
        )}
      </Field>
    </fieldset>
  );
}

function HowMuch({ model, form, fields }: IPartProps): React.ReactElement {
  const { last_used: last } = form;
  const limits = limitsOf(form, fields);
  const queue = chosenQueue(form, fields);
  const text = (
    name: 'cpus' | 'memory' | 'gpus' | 'time',
    label: string,
    hint?: string
  ) => (
    <TextField
      label={label}
      value={fields[name]}
      hint={hint}
      problem={problemOf(model.problems, name)}
      onChange={value => model.change({ [name]: value })}
    />
  );
  const used = last?.peak_memory
    ? `You used ${showBytes(last.peak_memory)} last time.`
    : limits
      ? `Up to ${showBytes(limits.memory)} here.`
      : undefined;
  const models = queue?.gpu_models.length
    ? ` Models: ${queue.gpu_models.join(', ')}.`
    : '';
  const gpus = limits?.gpus
    ? `Up to ${limits.gpus} here.${models}`
    : 'None here.';
  const time =
    limits && queue?.time_limit
      ? `Up to ${showDuration(limits.time)} here.`
      : 'For example 8 h or 90 min.';
  return (
    <fieldset>
      <legend>How much</legend>
      <div className="jp-Mlinfn-columns">
        {text(
          'cpus',
          'CPUs',
          limits ? `Up to ${limits.cpus} here.` : undefined
        )}
        {text('memory', 'Memory', used)}
        {text('gpus', 'GPUs', limits ? gpus : undefined)}
        {text('time', 'Time limit', time)}
      </div>
    </fieldset>
  );
}

function Advanced({ model, fields }: IPartProps): React.ReactElement {
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
    </details>
  );
}

/** The live line: what would happen, or all that prevents it. */
function Outlook({ model }: { model: SubmitModel }): React.ReactElement {
  const { draft, problems, error, fields } = model;
  if (problems.length) {
    return (
      <div
        className="jp-Mlinfn-outlook"
        data-ok="false"
        role="status"
        tabIndex={0}
      >
        <ul>
          {problems.map(problem => (
            <li key={problem.text}>
              {problem.text}
              {problem.hint &&
                !(model.remedy && problem.code === 'environment-mismatch') &&
                ` ${problem.hint}`}
            </li>
          ))}
        </ul>
      </div>
    );
  }
  if (error && fields) {
    return (
      <div className="jp-Mlinfn-outlook" data-ok="false" role="status">
        {error.message}
      </div>
    );
  }
  const recorded = model.options.rerunOf && !model.sourceIsThere;
  return (
    <div
      className="jp-Mlinfn-outlook"
      data-ok={draft?.ok ?? 'unknown'}
      role="status"
    >
      {draft?.forecast?.text ??
        (recorded
          ? 'The notebook is not there any more; the recorded copy runs again.'
          : 'Looking whether it could start now…')}
      {(draft?.notes.length ?? 0) > 0 && (
        <ul>
          {draft?.notes.map(note => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
