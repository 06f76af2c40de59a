import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Parameter } from '../api/types';
import { Button } from '../components/buttons';
import { Field } from '../components/field';
import type { IExtra } from './fields';
import { defaultText, problemOf } from './fields';
import type { IPartProps } from './parts';
import { sweptNames } from './sweepfields';

const KINDS: Record<Parameter['kind'], string> = {
  int: 'whole number',
  float: 'number',
  str: 'text',
  bool: 'true or false',
  none: 'anything',
  list: 'list',
  dict: 'dictionary',
  expression: 'computed in the notebook'
};

/** The notebook's parameters with types and defaults, and those that are added here. */
export function ParameterFields(props: IPartProps): React.ReactElement {
  const { model, form, fields } = props;
  const setExtras = (extras: readonly IExtra[]) => model.change({ extras });
  return (
    <>
      {form.parameters.map(parameter => (
        <ParameterField key={parameter.name} {...props} parameter={parameter} />
      ))}
      {fields.extras.map((extra, index) => (
        <ExtraField
          key={index}
          extra={extra}
          onChange={changed =>
            setExtras(fields.extras.map((x, i) => (i === index ? changed : x)))
          }
          onRemove={() =>
            setExtras(fields.extras.filter((_, i) => i !== index))
          }
        />
      ))}
      <Button
        onClick={() => setExtras([...fields.extras, { name: '', value: '' }])}
      >
        Add a parameter
      </Button>
      {!form.has_parameters_cell && fields.extras.length > 0 && (
        <label className="jp-Mlinfn-check">
          <input
            type="checkbox"
            checked={fields.createCell}
            onChange={event =>
              model.change({ createCell: event.target.checked })
            }
          />
          <span>
            This notebook has no <code>parameters</code> cell. Put the values
            into a new first cell of the job’s copy; your notebook stays as it
            is.
          </span>
        </label>
      )}
    </>
  );
}

function ParameterField(
  props: IPartProps & { parameter: Parameter }
): React.ReactElement {
  const { model, fields, parameter } = props;
  const { name } = parameter;
  const value = fields.values[name] ?? '';
  const original = defaultText(parameter);
  const change = (text: string) =>
    model.change({ values: { ...fields.values, [name]: text } });
  if (sweptNames(fields.sweep).has(name)) {
    return (
      <Field label={<code>{name}</code>} hint="takes the values of the sweep">
        {(id, describedBy) => (
          <input
            id={id}
            className="jp-Mlinfn-input"
            aria-describedby={describedBy}
            disabled
            value=""
          />
        )}
      </Field>
    );
  }
  const changed = value === original ? '' : `; in the notebook ${original}`;
  const help = parameter.help ? `${parameter.help} · ` : '';
  return (
    <Field
      label={<code>{name}</code>}
      hint={`${help}${KINDS[parameter.kind]}${changed}`}
      problem={problemOf(model.problems, name)}
    >
      {(id, describedBy) =>
        parameter.kind === 'bool' ? (
          <select
            id={id}
            className="jp-Mlinfn-select"
            aria-describedby={describedBy}
            value={value}
            onChange={event => change(event.target.value)}
          >
            <option value="True">True</option>
            <option value="False">False</option>
          </select>
        ) : (
          <input
            id={id}
            className="jp-Mlinfn-input jp-mod-code"
            type="text"
            spellCheck={false}
            aria-describedby={describedBy}
            value={value}
            onChange={event => change(event.target.value)}
          />
        )
      }
    </Field>
  );
}

function ExtraField(props: {
  extra: IExtra;
  onChange: (extra: IExtra) => void;
  onRemove: () => void;
}): React.ReactElement {
  const { extra, onChange } = props;
  return (
    <div className="jp-Mlinfn-extra">
      <input
        className="jp-Mlinfn-input jp-mod-code"
        aria-label="Name of the parameter"
        placeholder="name"
        autoFocus={extra.name === ''}
        value={extra.name}
        onChange={event => onChange({ ...extra, name: event.target.value })}
      />
      <span aria-hidden="true">=</span>
      <input
        className="jp-Mlinfn-input jp-mod-code"
        aria-label={`Value of ${extra.name || 'the parameter'}`}
        placeholder="value"
        value={extra.value}
        onChange={event => onChange({ ...extra, value: event.target.value })}
      />
      <button
        type="button"
        className="jp-Mlinfn-iconButton"
        title="Remove this parameter"
        aria-label={`Remove parameter ${extra.name}`}
        onClick={props.onRemove}
      >
        <closeIcon.react tag="span" />
      </button>
    </div>
  );
}
