import * as React from 'react';

import type { Environment, ExportedFile, ExportForm } from '../api/types';
import { SelectField } from '../components/field';
import { Failure, Skeleton } from '../components/states';
import { useAnswer } from './asked';
import type { EnvironmentsModel } from './model';

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
  environments: EnvironmentsModel;
  environment: Environment;
  onClose: () => void;
}): React.ReactElement {
  const { environments, environment } = props;
  const { name } = environment;
  const [form, setForm] = React.useState<ExportForm>('conda-lock.yml');
  const [platforms, setPlatforms] = React.useState<readonly string[]>([]);
  const several = form === 'conda-lock.yml' && platforms.length > 0;
  const details = useAnswer(
    () => environments.client.environment(name),
    [name]
  );
  const here = details.answer?.platform ?? null;
  const { answer, error, again } = useAnswer(
    () =>
      several
        ? environments.client.lockEnvironment(name, [
            ...(here ? [here] : []),
            ...platforms
          ])
        : environments.client.exportEnvironment(name, form),
    [name, form, several ? platforms : []]
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
            onChange={setPlatforms}
          />
        )}
        {error ? (
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
      <button className="jp-Mlinfn-button" onClick={props.onClose}>
        Close
      </button>
      <button
        className="jp-Mlinfn-button"
        disabled={!file}
        onClick={() => void copy()}
      >
        Copy
      </button>
      <button
        className="jp-Mlinfn-button jp-mod-accept"
        disabled={!file}
        onClick={() => file && download(file)}
      >
        Download
      </button>
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
