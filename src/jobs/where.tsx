import * as React from 'react';

import type { BackendChoice, Queue } from '../api/types';
import { Field, TextField } from '../components/field';
import { problemOf } from './fields';
import type { IPartProps } from './parts';
import {
  AUTO,
  backendTitle,
  chosenBackend,
  chosenQueue,
  hasChoice,
  LOCAL,
  offloads,
  queueText,
  standing
} from './places';
import type { SubmitModel } from './submitmodel';

/** Where it runs: a choice only where there is one. */
export function Where(props: IPartProps): React.ReactElement {
  const { draft } = props.model;
  return (
    <fieldset>
      <legend>Where</legend>
      {hasChoice(props.form, props.fields) ? (
        <Places {...props} />
      ) : (
        <OnlyPlace {...props} />
      )}
      {draft?.output_folder && (
        <p className="jp-Mlinfn-hint">
          Results go to <code>{draft.output_folder}</code>
        </p>
      )}
    </fieldset>
  );
}

function OnlyPlace({ model, form }: IPartProps): React.ReactElement {
  return (
    <p>
      {form.backends[0]?.title}
      {model.draft?.forecast?.starts_now ? ', starts now' : ''}
    </p>
  );
}

function Places(props: IPartProps): React.ReactElement {
  const { model, form, fields } = props;
  const choice = chosenBackend(form, fields);
  const queues = choice?.queues ?? [];
  return (
    <>
      <Field
        label="Place"
        problem={problemOf(model.problems, 'backend')}
        hint={placeHint(props, choice)}
      >
        {(id, describedBy) => (
          <select
            id={id}
            aria-describedby={describedBy}
            className="jp-Mlinfn-select"
            value={fields.backend}
            onChange={event =>
              // another system knows neither the queue nor the account
              model.change({
                backend: event.target.value,
                queue: '',
                charge: ''
              })
            }
          >
            <option value={AUTO}>{backendTitle(AUTO)}</option>
            {!choice && fields.backend !== AUTO && (
              <option value={fields.backend}>
                {backendTitle(fields.backend)} (not here)
              </option>
            )}
            {form.backends.map(one => (
              <option key={one.name} value={one.name}>
                {one.title}
                {one.missing ? ' (does not answer)' : ''}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Outlooks {...props} />
      {(queues.length > 0 || fields.queue !== '') && (
        <QueueField {...props} queues={queues} />
      )}
      {offloads(form, fields) && <Elsewhere {...props} />}
      {fields.backend !== LOCAL && (
        <TextField
          label="Charge to"
          value={fields.charge}
          hint={chargeHint(model)}
          problem={problemOf(model.problems, 'charge')}
          onChange={charge => model.change({ charge })}
        />
      )}
    </>
  );
}

/** Whether machines of other sites may have it. */
function Elsewhere({ model, fields }: IPartProps): React.ReactElement | null {
  if (model.options.rerunOf && model.asRecorded) {
    return null;
  }
  const problem = problemOf(model.problems, 'offload');
  return (
    <div className="jp-Mlinfn-field">
      <label className="jp-Mlinfn-check">
        <input
          type="checkbox"
          checked={fields.offload}
          onChange={event => model.change({ offload: event.target.checked })}
        />
        May run at a remote site
      </label>
      <p className={problem ? 'jp-Mlinfn-problem' : 'jp-Mlinfn-hint'}>
        {problem ??
          'Its machines see none of your folders: what the job needs must travel with it.'}
      </p>
    </div>
  );
}

/** What every place says to this job, the one it goes to marked. */
function Outlooks({ model }: IPartProps): React.ReactElement | null {
  const { draft } = model;
  if (!draft || draft.places.length < 2) {
    return null;
  }
  return (
    <div className="jp-Mlinfn-field">
      <ul className="jp-Mlinfn-places" aria-label="When it would start">
        {draft.places.map(place => {
          const chosen = place.backend === draft.backend;
          return (
            <li key={place.backend} aria-current={chosen || undefined}>
              <span aria-hidden="true">{chosen ? '→' : ''}</span>
              <span>{place.title}</span>
              <span className="jp-Mlinfn-hint">{standing(place)}</span>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function chargeHint(model: SubmitModel): string {
  const { rerunOf } = model.options;
  const stays = rerunOf && model.asRecorded;
  return `The group or account that pays. Empty: ${
    stays && model.fields?.backend === rerunOf.backend
      ? 'as that job recorded it'
      : 'your usual one'
  }.`;
}

/** Only what the live line at the bottom does not say. */
function placeHint(
  { model, fields }: IPartProps,
  choice: BackendChoice | null
): string | undefined {
  if (fields.backend === AUTO) {
    return model.draft ? undefined : 'Where it starts first.';
  }
  if (choice?.missing) {
    return `${choice.missing} A job submitted now waits until it answers.`;
  }
  // a batch system may have room and decide otherwise: its own words are in the live line
  const here = choice?.name === LOCAL && model.draft?.forecast?.starts_now;
  return here ? 'Starts now.' : undefined;
}

function QueueField(
  props: IPartProps & { queues: readonly Queue[] }
): React.ReactElement {
  const { model, form, fields, queues } = props;
  const queue = chosenQueue(form, fields);
  const usual = queues.find(one => one.default);
  const silent = Boolean(chosenBackend(form, fields)?.missing);
  const known = fields.queue === '' || queue !== null;
  return (
    <Field
      label="Queue"
      problem={problemOf(model.problems, 'queue')}
      hint={queue ? queueText(queue) : undefined}
    >
      {(id, describedBy) => (
        <select
          id={id}
          aria-describedby={describedBy}
          className="jp-Mlinfn-select"
          value={fields.queue}
          onChange={event => model.change({ queue: event.target.value })}
        >
          <option value="">
            {usual ? `${usual.name} (default)` : 'the system’s choice'}
          </option>
          {!known && (
            <option value={fields.queue}>
              {fields.queue}
              {silent ? '' : ' (not offered)'}
            </option>
          )}
          {queues
            .filter(one => one !== usual)
            .map(one => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
        </select>
      )}
    </Field>
  );
}
