import * as React from 'react';

import type { Environment, TaskRequest } from '../api/types';
import { showBytes } from '../components/quantities';
import type { IBase } from './base';
import { baseOf } from './base';
import type { EnvironmentsModel } from './model';
import { TaskDialog } from './taskdialog';
import type { TaskModel } from './taskmodel';

export type Way = 'squashfs' | 'sif' | 'container' | 'layer';

export interface IChoice {
  way: Way;
  label: string;
  hint: string;
}

/** The environment as one file, or as what differs from another one's file. */
export function Pack(props: {
  model: TaskModel;
  environments: EnvironmentsModel;
  environment: Environment;
  onClose: () => void;
}): React.ReactElement {
  const { environment, environments } = props;
  const list = environments.list;
  const base = baseOf(environment, list?.environments ?? []);
  const [way, setWay] = React.useState<Way>('squashfs');
  const request = (): TaskRequest => ({
    action: 'pack',
    name: environment.name,
    ...wishOf(way, base)
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
      {choices(base, list?.container_root ?? false).map(one => (
        <label key={one.way} className="jp-Mlinfn-check">
          <input
            type="radio"
            name="way"
            checked={way === one.way}
            onChange={() => setWay(one.way)}
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

/** What is asked of the server by one of the choices. */
export function wishOf(
  way: Way,
  base: IBase | null
): { format: 'squashfs' | 'sif'; over?: string; container?: boolean } {
  switch (way) {
    case 'layer':
      return { format: 'squashfs', over: base?.name };
    case 'container':
      return { format: 'sif', container: true };
    default:
      return { format: way };
  }
}

/** What can be chosen: a layer and a whole container only where they can be had. */
export function choices(base: IBase | null, containers: boolean): IChoice[] {
  const all: IChoice[] = [
    {
      way: 'squashfs',
      label: 'One whole file',
      hint: 'For jobs and kernels here; needs nothing else.'
    }
  ];
  if (base) {
    const size = showBytes(base.image.size);
    all.push({
      way: 'layer',
      label: `Only what differs from ${base.name}`,
      hint: `Megabytes where ${base.name} has ${size}. To run it, the file of ${base.name} must be there too, unchanged; Apptainer cannot run the two.`
    });
  }
  all.push({
    way: 'sif',
    label: 'One SIF file',
    hint: 'For Apptainer, in any container; it holds the environment alone.'
  });
  if (containers) {
    all.push({
      way: 'container',
      label: 'One SIF file that runs by itself',
      hint: 'A whole container: apptainer exec FILE.sif python.'
    });
  }
  return all;
}
