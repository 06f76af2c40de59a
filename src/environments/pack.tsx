import * as React from 'react';

import type { Environment, TaskRequest } from '../api/types';
import { TaskDialog } from './taskdialog';
import type { TaskModel } from './taskmodel';

type Format = 'squashfs' | 'sif';

const FORMATS: { format: Format; label: string; hint: string }[] = [
  {
    format: 'squashfs',
    label: 'squashfs',
    hint: 'For jobs and kernels here; the smallest.'
  },
  {
    format: 'sif',
    label: 'SIF',
    hint: 'For Apptainer, on any machine that has it.'
  }
];

/** The environment as one file. */
export function Pack(props: {
  model: TaskModel;
  environment: Environment;
  onClose: () => void;
}): React.ReactElement {
  const { environment } = props;
  const [format, setFormat] = React.useState<Format>('squashfs');
  const request = (): TaskRequest => ({
    action: 'pack',
    name: environment.name,
    format
  });
  return (
    <TaskDialog
      model={props.model}
      title={`Pack ${environment.name}`}
      act="Pack"
      request={request}
      onClose={props.onClose}
    >
      <p>
        One file instead of many: kind to shared file systems, quick to start,
        the same on every machine. The environment stays as it is.
      </p>
      {FORMATS.map(one => (
        <label key={one.format} className="jp-Mlinfn-check">
          <input
            type="radio"
            name="format"
            checked={format === one.format}
            onChange={() => setFormat(one.format)}
          />
          <span>
            {one.label}
            <span className="jp-Mlinfn-hint"> · {one.hint}</span>
          </span>
        </label>
      ))}
    </TaskDialog>
  );
}
