import * as React from 'react';

import { TextField } from '../components/field';
import { nameProblem } from './words';

/** The name of a new environment; says what is wrong with it as one types. */
export function NameField(props: {
  value: string;
  taken: readonly string[];
  onChange: (name: string) => void;
}): React.ReactElement {
  const [typed, setTyped] = React.useState(false);
  const problem = nameProblem(props.value, props.taken);
  return (
    <TextField
      label="Name"
      value={props.value}
      hint="Letters (a to z), digits, dots, dashes and underscores."
      problem={typed || props.value ? problem : null}
      onChange={name => {
        setTyped(true);
        props.onChange(name);
      }}
    />
  );
}
