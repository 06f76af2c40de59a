import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

/** A button that is an icon; its label is read out and shown as a tip. */
export function IconButton(props: {
  label: string;
  icon: LabIcon;
  run: () => void;
}): React.ReactElement {
  return (
    <button
      className="jp-Mlinfn-iconButton"
      title={props.label}
      aria-label={props.label}
      onClick={props.run}
    >
      <props.icon.react tag="span" />
    </button>
  );
}

/** A button with a word on it; `accept` is what one came for, `warn` takes something away. */
export function Button({
  kind,
  ...rest
}: React.ComponentProps<'button'> & {
  kind?: 'accept' | 'warn';
}): React.ReactElement {
  const colour = kind ? ` jp-mod-${kind}` : '';
  return (
    <button type="button" className={`jp-Mlinfn-button${colour}`} {...rest} />
  );
}
