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
