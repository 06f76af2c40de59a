import * as React from 'react';

import type { Environment, SharedEnvironment } from '../api/types';
import { TextField } from '../components/field';
import { showBytes } from '../components/quantities';
import type { EnvironmentsModel } from './model';
import { Refusal, problemsOf } from './refusal';

/** Put a copy where others read it. */
export function Share(props: {
  environments: EnvironmentsModel;
  environment: Environment;
  onDone: (shared: SharedEnvironment) => void;
  onClose: () => void;
}): React.ReactElement {
  const { environments, environment } = props;
  const { name, images } = environment;
  const [folder, setFolder] = React.useState('');
  const [error, setError] = React.useState<Error | null>(null);
  const [busy, setBusy] = React.useState(false);
  const size = environment.packed
    ? Math.max(...images.map(image => image.size), 0)
    : 0;
  const share = async () => {
    setBusy(true);
    setError(null);
    try {
      const { client } = environments;
      props.onDone(await client.shareEnvironment(name, folder));
    } catch (failure) {
      setError(failure as Error);
      setBusy(false);
    }
  };
  return (
    <form
      className="jp-Mlinfn-submit"
      onSubmit={event => {
        event.preventDefault();
        void share();
      }}
    >
      <header className="jp-Mlinfn-headerLine">
        <h2>Share {name}</h2>
      </header>
      <div className="jp-Mlinfn-submitBody jp-Mlinfn-taskBody">
        <p>
          {size
            ? `Its lock and its packed file (${showBytes(size)}) are copied there. Who can read the folder can clone it, and run it at once.`
            : `Its lock is copied there (a few KiB). Who can read the folder can clone it. Pack it first if they should run it at once.`}
        </p>
        <TextField
          label="Folder"
          value={folder}
          hint="Its whole path, such as one in your group's area."
          onChange={setFolder}
        />
        {error && <Refusal text={error.message} problems={problemsOf(error)} />}
      </div>
      <footer className="jp-Mlinfn-buttons">
        <button
          type="button"
          className="jp-Mlinfn-button"
          onClick={props.onClose}
        >
          Close
        </button>
        <button
          type="submit"
          className="jp-Mlinfn-button jp-mod-accept"
          disabled={busy || !folder.startsWith('/')}
        >
          {busy ? 'Copying…' : 'Share'}
        </button>
      </footer>
    </form>
  );
}
