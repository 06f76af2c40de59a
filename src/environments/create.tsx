import * as React from 'react';

import type { TaskRequest } from '../api/types';
import { Button } from '../components/buttons';
import { Field } from '../components/field';
import { showBytes } from '../components/quantities';
import type { EnvironmentsModel } from './model';
import { NameField } from './namefield';
import { PackageField } from './packagefield';
import type { INext } from './taskdialog';
import { TaskDialog } from './taskdialog';
import type { TaskModel } from './taskmodel';
import { byManager, nameProblem } from './words';

const LARGEST_FILE = 8 * 2 ** 20;

interface ICreateProps {
  model: TaskModel;
  environments: EnvironmentsModel;
  onClose: () => void;
  next: (name: string) => readonly INext[];
}

interface IFile {
  name: string;
  text: string;
}

/** A new environment from packages, or from a file that describes one. */
export function Create(props: ICreateProps): React.ReactElement {
  const { environments, model } = props;
  const taken = environments.ownNames;
  const [name, setName] = React.useState('');
  const [chips, setChips] = React.useState<string[]>(['python', 'ipykernel']);
  const [file, setFile] = React.useState<IFile | null>(null);
  const done = model.step === 'working' || model.step === 'ended';
  const request = (): TaskRequest | null => {
    if (nameProblem(name, taken) || !(file || chips.length)) {
      return null;
    }
    if (file) {
      return {
        action: 'create',
        name,
        file_name: file.name,
        file_text: file.text
      };
    }
    const { conda, pip } = byManager(chips);
    return { action: 'create', name, packages: conda, pip };
  };
  return (
    <TaskDialog
      model={model}
      title="New environment"
      act="Create"
      request={request}
      onClose={props.onClose}
      next={task => props.next(task.name)}
    >
      <NameField value={name} taken={done ? [] : taken} onChange={setName} />
      {!file && (
        <PackageField
          label="Packages"
          hint="With a version if it matters, as in numpy>=2. Write pip:NAME for one that only PyPI has. ipykernel is needed for notebooks."
          chips={chips}
          onChange={setChips}
          search={text => environments.client.searchPackages(text)}
        />
      )}
      <FileField file={file} onChange={setFile} />
    </TaskDialog>
  );
}

/** A file that describes an environment, chosen or dropped. */
function FileField(props: {
  file: IFile | null;
  onChange: (file: IFile | null) => void;
}): React.ReactElement {
  const { file, onChange } = props;
  const [problem, setProblem] = React.useState<string | null>(null);
  const [over, setOver] = React.useState(false);
  const take = async (chosen: File | undefined) => {
    setProblem(null);
    if (!chosen) {
      return;
    }
    if (chosen.size > LARGEST_FILE) {
      setProblem(
        `${chosen.name} has ${showBytes(chosen.size)}. A file can have up to ${showBytes(LARGEST_FILE)}.`
      );
      return;
    }
    try {
      onChange({ name: chosen.name, text: await chosen.text() });
    } catch {
      setProblem(`${chosen.name} could not be read. Choose it again.`);
    }
  };
  return (
    <Field
      label={file ? 'From the file' : 'Or a file'}
      hint="environment.yml, conda-lock.yml, requirements.txt or an @EXPLICIT list"
      problem={problem}
    >
      {(id, describedBy) =>
        file ? (
          <div className="jp-Mlinfn-chosenFile">
            <code>{file.name}</code>
            <Button id={id} onClick={() => onChange(null)}>
              Choose packages instead
            </Button>
          </div>
        ) : (
          <div
            className="jp-Mlinfn-drop"
            data-over={over}
            onDragOver={event => {
              event.preventDefault();
              setOver(true);
            }}
            onDragLeave={() => setOver(false)}
            onDrop={event => {
              event.preventDefault();
              setOver(false);
              void take(event.dataTransfer.files[0]);
            }}
          >
            <input
              id={id}
              type="file"
              aria-describedby={describedBy}
              accept=".yml,.yaml,.txt,.lock"
              onChange={event => void take(event.target.files?.[0])}
            />
          </div>
        )
      }
    </Field>
  );
}
