import * as React from 'react';

import { ApiProblem } from '../api/client';
import type {
  DeletedEnvironment,
  Environment,
  EnvironmentDetails
} from '../api/types';
import { Button } from '../components/buttons';
import { showBytes } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import { useAnswer } from './asked';
import type { EnvironmentsModel } from './model';
import { problemsOf, Refusal } from './refusal';
import { showFiles, usersText } from './words';

/** Delete an environment of one's own; says first what would be lost and who uses it. */
export function Remove(props: {
  environments: EnvironmentsModel;
  environment: Environment;
  onDone: (gone: DeletedEnvironment) => void;
  onClose: () => void;
}): React.ReactElement {
  const { environments, environment } = props;
  const { name } = environment;
  const { answer, error, again } = useAnswer(
    () => environments.client.environment(name),
    [name]
  );
  const [refused, setRefused] = React.useState<Error | null>(null);
  const [busy, setBusy] = React.useState(false);
  const used =
    (answer !== null && usersOf(answer).length > 0) ||
    (refused instanceof ApiProblem && refused.code === 'environment-in-use');
  const remove = async () => {
    setBusy(true);
    try {
      props.onDone(await environments.client.removeEnvironment(name, used));
    } catch (failure) {
      setRefused(failure as Error);
      setBusy(false);
    }
  };
  return (
    <section className="jp-Mlinfn-submit">
      <header className="jp-Mlinfn-headerLine">
        <h2>Delete {name}?</h2>
      </header>
      <div className="jp-Mlinfn-submitBody jp-Mlinfn-taskBody">
        {error ? (
          <Failure
            error={error}
            what="The environment could not be read"
            retry={again}
          />
        ) : answer ? (
          <Losses details={answer} />
        ) : (
          <Skeleton lines={4} />
        )}
        {refused && (
          <Refusal text={refused.message} problems={problemsOf(refused)} />
        )}
      </div>
      <footer className="jp-Mlinfn-buttons">
        <Button onClick={props.onClose}>Keep it</Button>
        <Button
          kind="warn"
          disabled={busy || !(answer || error)}
          onClick={() => void remove()}
        >
          {busy ? 'Deleting…' : used ? 'Delete it nevertheless' : 'Delete'}
        </Button>
      </footer>
    </section>
  );
}

/** Who uses it: by name, or how many where the names are not known. */
export function usersOf(details: EnvironmentDetails): string[] {
  const named = details.used_by.map(one =>
    one.kind === 'job' ? `job ${one.name}` : one.name
  );
  const counted = usersText(details.environment);
  return named.length || !counted ? named : [counted];
}

function Losses({ details }: { details: EnvironmentDetails }) {
  const { environment, history, images, kernel } = details;
  const { size, files } = environment;
  const users = usersOf(details);
  return (
    <>
      <p>
        Its packages and its history are deleted
        {size !== null && files !== null && (
          <>
            {' '}
            (<span className="jp-Mlinfn-numbers">
              {showBytes(size)}
            </span> in{' '}
            <span className="jp-Mlinfn-numbers">{showFiles(files)}</span>)
          </>
        )}
        . This cannot be undone.
      </p>
      <ul>
        {history.length > 1 && (
          <li>{history.length - 1} earlier states go with it.</li>
        )}
        {kernel && <li>Its kernel goes out of the launcher.</li>}
        {images.length > 0 && (
          <li>
            Its packed file stays. ‘Free space…’ removes it when nothing needs
            it.
          </li>
        )}
        <li>Notebooks and results stay. Environments cloned from it stay.</li>
      </ul>
      {users.length > 0 && (
        <div role="alert">
          <p className="jp-Mlinfn-problem">It is in use now:</p>
          <ul>
            {users.map(one => (
              <li key={one}>{one}</li>
            ))}
          </ul>
          <p>Stop these first, or they may fail.</p>
        </div>
      )}
    </>
  );
}
