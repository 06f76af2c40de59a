import * as React from 'react';

import type {
  Environment,
  EnvironmentDetails,
  PackageMatches,
  TaskRequest
} from '../api/types';
import type { EnvironmentsModel } from './model';
import { PackageField } from './packagefield';
import type { INext } from './taskdialog';
import { TaskDialog } from './taskdialog';
import type { TaskModel } from './taskmodel';
import { byManager, requirementName } from './words';

/** What is done with packages. */
export type Alteration = 'add' | 'remove' | 'update';

interface IAlterProps {
  kind: Alteration;
  model: TaskModel;
  environments: EnvironmentsModel;
  environment: Environment;
  onClose: () => void;
  next: (name: string) => readonly INext[];
}

const WORDS: Record<Alteration, { title: string; act: string }> = {
  add: { title: 'Add packages to', act: 'Add' },
  remove: { title: 'Remove packages from', act: 'Remove' },
  update: { title: 'Update', act: 'Update' }
};

/** Add, remove or update packages of an environment of one's own. */
export function Alter(props: IAlterProps): React.ReactElement {
  const { kind, model, environments, environment } = props;
  const [chips, setChips] = React.useState<string[]>([]);
  const [all, setAll] = React.useState(kind === 'update');
  const installed = useInstalled(environments, environment.name);
  return (
    <TaskDialog
      model={model}
      title={`${WORDS[kind].title} ${environment.name}`}
      act={WORDS[kind].act}
      request={() => alteration(kind, environment.name, chips, all)}
      onClose={props.onClose}
      next={task => props.next(task.name)}
    >
      {kind === 'update' && (
        <>
          <label className="jp-Mlinfn-check">
            <input
              type="radio"
              name="what"
              checked={all}
              onChange={() => setAll(true)}
            />
            Everything, to the newest versions that fit together
          </label>
          <label className="jp-Mlinfn-check">
            <input
              type="radio"
              name="what"
              checked={!all}
              onChange={() => setAll(false)}
            />
            Only some packages
          </label>
        </>
      )}
      {!all && (
        <PackageField
          label="Packages"
          hint={
            kind === 'add'
              ? 'With a version if it matters, as in numpy>=2. Write pip:NAME for one that only PyPI has.'
              : undefined
          }
          chips={chips}
          onChange={setChips}
          search={text =>
            kind === 'add'
              ? environments.client.searchPackages(text)
              : installed().then(details => among(details, text))
          }
        />
      )}
      {environment.kernels.length > 0 && (
        <p className="jp-Mlinfn-hint">
          A kernel that runs now keeps its packages until you restart it.
        </p>
      )}
    </TaskDialog>
  );
}

/** The request, or `null` while there is nothing to ask for. */
export function alteration(
  kind: Alteration,
  name: string,
  chips: readonly string[],
  all: boolean
): TaskRequest | null {
  if (kind === 'update' && all) {
    return { action: 'change', name, update_all: true };
  }
  if (!chips.length) {
    return null;
  }
  const { conda, pip } = byManager(chips);
  switch (kind) {
    case 'add':
      return { action: 'change', name, add: conda, add_pip: pip };
    case 'remove':
      return { action: 'change', name, remove: [...conda, ...pip] };
    case 'update':
      return { action: 'change', name, update: [...conda, ...pip] };
  }
}

/** What is in it; asked for once, when it is first needed. */
function useInstalled(
  environments: EnvironmentsModel,
  name: string
): () => Promise<EnvironmentDetails> {
  const asked = React.useRef<Promise<EnvironmentDetails> | null>(null);
  return () => {
    asked.current ??= environments.client.environment(name);
    return asked.current;
  };
}

/** Installed packages with names like this, in the form of a search. */
function among(details: EnvironmentDetails, text: string): PackageMatches {
  const sought = requirementName(text);
  const packages = details.packages
    .filter(one => one.name.toLowerCase().includes(sought))
    .map(({ name, version, source }) => ({
      name,
      versions: [version],
      channel: source
    }));
  return {
    search: text,
    packages: packages.slice(0, 50),
    more: packages.length > 50,
    problem: null
  };
}
