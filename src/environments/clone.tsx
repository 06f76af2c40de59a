import * as React from 'react';

import type { Environment } from '../api/types';
import { packedWhole } from './base';
import type { EnvironmentsModel } from './model';
import { NameField } from './namefield';
import type { INext } from './taskdialog';
import { TaskDialog } from './taskdialog';
import type { TaskModel } from './taskmodel';
import { nameProblem, suggestName } from './words';

interface ICloneProps {
  model: TaskModel;
  environments: EnvironmentsModel;
  source: Environment;
  onClose: () => void;
  next: (name: string) => readonly INext[];
}

/** An environment of one's own with the packages of another. */
export function Clone(props: ICloneProps): React.ReactElement {
  const { environments, model, source } = props;
  const taken = environments.ownNames;
  const [name, setName] = React.useState(() => suggestName(source, taken));
  const [mode, setMode] = React.useState<'files' | 'layer'>('files');
  const base = source.kind === 'found' ? null : packedWhole(source);
  const done = model.step === 'working' || model.step === 'ended';
  return (
    <TaskDialog
      model={model}
      title={`Clone ${source.name}`}
      act="Clone"
      request={() =>
        nameProblem(name, taken)
          ? null
          : {
              action: 'clone',
              name,
              source: sourceOf(source),
              mode: mode === 'layer' && base ? 'layer' : 'auto'
            }
      }
      onClose={props.onClose}
      next={task => props.next(task.name)}
    >
      <p>
        You get an environment of your own with the same packages. Changing it
        does not change {source.name}.
      </p>
      <NameField value={name} taken={done ? [] : taken} onChange={setName} />
      {base &&
        (['files', 'layer'] as const).map(one => (
          <label key={one} className="jp-Mlinfn-check">
            <input
              type="radio"
              name="mode"
              checked={mode === one}
              onChange={() => setMode(one)}
            />
            <span>
              {one === 'files'
                ? 'With files of its own'
                : `As a layer over the packed file of ${source.name}`}
              <span className="jp-Mlinfn-hint">
                {' · '}
                {one === 'files'
                  ? 'Shares room on disk where this file system can.'
                  : 'One small file that holds only what differs; it runs together with that file, which must stay. No file in it can be edited by hand.'}
              </span>
            </span>
          </label>
        ))}
    </TaskDialog>
  );
}

/** Found environments are named by where they are; their names need not be unique. */
function sourceOf(source: Environment): string {
  return source.kind === 'found' ? (source.prefix ?? source.name) : source.name;
}
