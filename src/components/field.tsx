import * as React from 'react';

interface IFieldProps {
  label: React.ReactNode;
  hint?: string;
  problem?: string | null;
  children: (id: string, describedBy?: string) => React.ReactNode;
}

/** A label, a control, and below it what helps or what is wrong. */
export function Field(props: IFieldProps): React.ReactElement {
  const id = React.useId();
  const below = props.problem ?? props.hint;
  const describedBy = below ? `${id}-below` : undefined;
  return (
    <div className="jp-Mlinfn-field">
      <label htmlFor={id}>{props.label}</label>
      {props.children(id, describedBy)}
      {below && (
        <p
          id={describedBy}
          className={props.problem ? 'jp-Mlinfn-problem' : 'jp-Mlinfn-hint'}
        >
          {below}
        </p>
      )}
    </div>
  );
}

interface ITextFieldProps {
  label: React.ReactNode;
  value: string;
  hint?: string;
  problem?: string | null;
  /** Whether the dialog that it is in opens with the focus here. */
  first?: boolean;
  onChange: (value: string) => void;
}

/** A field of one line of text. */
export function TextField(props: ITextFieldProps): React.ReactElement {
  return (
    <Field label={props.label} hint={props.hint} problem={props.problem}>
      {(id, describedBy) => (
        <input
          id={id}
          // React's own autoFocus comes before the dialog is shown, which looks for the attribute
          ref={node => node?.toggleAttribute('autofocus', !!props.first)}
          className="jp-Mlinfn-input"
          type="text"
          spellCheck={false}
          value={props.value}
          aria-describedby={describedBy}
          aria-invalid={props.problem ? true : undefined}
          onChange={event => props.onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

interface ISelectFieldProps<T extends string> {
  label: React.ReactNode;
  value: T;
  choices: readonly { value: T; label: string }[];
  onChange: (value: T) => void;
}

/** A field with a list to choose from. */
export function SelectField<T extends string>(
  props: ISelectFieldProps<T>
): React.ReactElement {
  return (
    <Field label={props.label}>
      {id => (
        <select
          id={id}
          className="jp-Mlinfn-select"
          value={props.value}
          onChange={event => props.onChange(event.target.value as T)}
        >
          {props.choices.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
