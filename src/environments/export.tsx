import * as React from 'react';

import type { Environment, ExportedFile, ExportForm } from '../api/types';
import { Button } from '../components/buttons';
import { SelectField } from '../components/field';
import { Failure, Skeleton } from '../components/states';
import { useModel } from '../components/panel';
import { TaskProgress } from '../components/taskprogress';
import { useAnswer } from './asked';
import { problemsOf, Refusal } from './refusal';
import type { TaskModel } from './taskmodel';

const FORMS: { value: ExportForm; label: string }[] = [
  {
    value: 'environment.yml',
    label: 'environment.yml: what was asked for'
  },
  {
    value: 'conda-lock.yml',
    label: 'conda-lock.yml: every package with hash'
  },
  {
    value: 'explicit',
    label: 'explicit list: every package by address'
  }
];

const PLATFORMS = ['linux-64', 'linux-aarch64', 'osx-arm64', 'win-64'];

/** The lock and the other papers of an environment, to read, copy or download. */
export function Export(props: {
  model: TaskModel;
  environment: Environment;
  onClose: () => void;
}): React.ReactElement {
  const { model, environment } = props;
  const { environments } = model;
  useModel(model);
  const { name } = environment;
  const [form, setForm] = React.useState<ExportForm>('conda-lock.yml');
  const [platforms, setPlatforms] = React.useState<readonly string[]>([]);
  const several = form === 'conda-lock.yml' && platforms.length > 0;
  const details = useAnswer(
    () => environments.client.environment(name),
    [name]
  );
  const here = details.answer?.platform ?? null;
  const wanted = [...(here ? [here] : []), ...platforms];
  const solving = several && model.step === 'working';
  const solved =
    several && model.task?.state === 'succeeded' && isFor(model, wanted);
  const { answer, error, again } = useAnswer(
    async () =>
      several && !solved
        ? null
        : environments.client.exportEnvironment(
            name,
            solved ? 'platforms' : form
          ),
    [name, form, several, solved]
  );
  return (
    <section className="jp-Mlinfn-submit">
      <header className="jp-Mlinfn-headerLine">
        <h2>Lock of {name}</h2>
      </header>
      <div className="jp-Mlinfn-submitBody jp-Mlinfn-taskBody">
        <p>
          {environment.digest ? (
            <>
              It is locked: <code>{environment.digest}</code>
            </>
          ) : (
            'It is not locked.'
          )}
        </p>
        <SelectField
          label="As"
          value={form}
          choices={FORMS}
          onChange={setForm}
        />
        {form === 'conda-lock.yml' && (
          <Platforms
            offered={PLATFORMS.filter(platform => platform !== here)}
            chosen={platforms}
            disabled={solving}
            onChange={setPlatforms}
          />
        )}
        {several && (
          <Solving
            model={model}
            done={solved}
            start={() =>
              void model.begin({ action: 'lock', name, platforms: wanted })
            }
          />
        )}
        {several && !solved ? null : error ? (
          <Failure
            error={error}
            what="The file could not be written"
            retry={again}
          />
        ) : answer ? (
          <pre
            className="jp-Mlinfn-log jp-Mlinfn-scroll"
            tabIndex={0}
            aria-label={answer.file_name}
          >
            {answer.text}
          </pre>
        ) : (
          <Skeleton lines={6} />
        )}
      </div>
      <ExportButtons file={answer} onClose={props.onClose} />
    </section>
  );
}

/** For which machines besides this one the lock is made; none: as it is installed here. */
function Platforms(props: {
  offered: readonly string[];
  chosen: readonly string[];
  disabled: boolean;
  onChange: (platforms: string[]) => void;
}): React.ReactElement {
  const { chosen, onChange } = props;
  return (
    <fieldset>
      <legend>For other machines too</legend>
      <div className="jp-Mlinfn-platforms">
        {props.offered.map(platform => (
          <label key={platform} className="jp-Mlinfn-check">
            <input
              type="checkbox"
              disabled={props.disabled}
              checked={chosen.includes(platform)}
              onChange={event =>
                onChange(
                  event.target.checked
                    ? [...chosen, platform]
                    : chosen.filter(one => one !== platform)
                )
              }
            />
            {platform}
          </label>
        ))}
      </div>
      {chosen.length > 0 && (
        <p className="jp-Mlinfn-hint">
          What was asked for is solved anew, for this machine and for them.
        </p>
      )}
    </fieldset>
  );
}

/** Whether the task was for these platforms, and not for others chosen before. */
function isFor(model: TaskModel, platforms: readonly string[]): boolean {
  const { request } = model;
  return (
    request?.action === 'lock' && request.platforms.join() === platforms.join()
  );
}

/** The task that solves for the platforms: to start, under way, or how it ended. */
function Solving(props: {
  model: TaskModel;
  done: boolean;
  start: () => void;
}): React.ReactElement {
  const { model } = props;
  const { error, step, task } = model;
  if (step === 'working') {
    return (
      <>
        {task ? <TaskProgress task={task} /> : <p>Starting…</p>}
        <Button disabled={model.cancelling} onClick={() => void model.cancel()}>
          {model.cancelling ? 'Cancelling…' : 'Cancel'}
        </Button>
      </>
    );
  }
  const ended = step === 'ended' && task?.result ? task : null;
  return (
    <>
      {error && <Refusal text={error.message} problems={problemsOf(error)} />}
      {ended && ended.state !== 'succeeded' && (
        <Refusal
          text={ended.result?.text ?? ''}
          problems={ended.result?.problems ?? []}
          calm={ended.state === 'cancelled'}
        />
      )}
      {props.done ? (
        <p className="jp-Mlinfn-lead" role="status">
          {task?.result?.text}
        </p>
      ) : (
        <Button kind="accept" onClick={props.start}>
          Lock for these platforms
        </Button>
      )}
    </>
  );
}

function ExportButtons(props: {
  file: ExportedFile | null;
  onClose: () => void;
}): React.ReactElement {
  const { file } = props;
  const [said, setSaid] = React.useState('');
  React.useEffect(() => setSaid(''), [file]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(file?.text ?? '');
      setSaid('Copied.');
    } catch {
      setSaid('The browser does not allow copying here. Download it instead.');
    }
  };
  return (
    <footer className="jp-Mlinfn-buttons">
      <span className="jp-Mlinfn-hint" role="status">
        {said}
      </span>
      <Button onClick={props.onClose}>Close</Button>
      <Button disabled={!file} onClick={() => void copy()}>
        Copy
      </Button>
      <Button
        kind="accept"
        disabled={!file}
        onClick={() => file && download(file)}
      >
        Download
      </Button>
    </footer>
  );
}

function download(file: ExportedFile): void {
  const url = URL.createObjectURL(new Blob([file.text]));
  const link = document.createElement('a');
  link.href = url;
  link.download = file.file_name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
