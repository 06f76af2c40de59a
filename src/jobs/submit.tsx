import { launchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { JobRecord } from '../api/types';
import { Button } from '../components/buttons';
import { Field } from '../components/field';
import { useModel } from '../components/panel';
import { showTime } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import { Advanced } from './advanced';
import { AfterForm } from './afterform';
import { problemOf } from './fields';
import { HowMuch } from './howmuch';
import { Mismatch } from './mismatch';
import type { IPartProps } from './parts';
import { ParameterFields } from './parameters';
import type { SubmitModel } from './submitmodel';
import { SweepForm } from './sweepform';
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
      className="jp-Mlinfn-submit jp-Mlinfn-mod-steady"
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
        <Button onClick={props.onCancel}>Close</Button>
        {!(model.options.rerunOf && model.asRecorded) && (
          <Button
            disabled={busy}
            title="Runs with a time limit of five minutes, to see whether it works"
            onClick={() => void submit(true)}
          >
            Try first
          </Button>
        )}
        <Button
          type="submit"
          kind="accept"
          disabled={busy}
          title="Ctrl+Enter or ⌘+Enter"
        >
          {model.submitting ? 'Submitting…' : 'Submit'}
        </Button>
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
      <SweepForm {...part} />
      <WithWhat {...part} />
      <HowMuch {...part} />
      <Where {...part} />
      <AfterForm {...part} />
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
      {draft?.why ??
        draft?.forecast?.text ??
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
