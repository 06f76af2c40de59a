import * as React from 'react';

import type { Environment, EnvironmentHistory } from '../api/types';
import { Button } from '../components/buttons';
import { showTime } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import { useAnswer } from './asked';
import type { EnvironmentsModel } from './model';
import { TaskDialog } from './taskdialog';
import type { TaskModel } from './taskmodel';
import { shortDigest } from './words';

/** Every state an environment was in, and the way back to each. */
export function History(props: {
  model: TaskModel;
  environments: EnvironmentsModel;
  environment: Environment;
  onClose: () => void;
}): React.ReactElement {
  const { environments, environment, model } = props;
  const { name } = environment;
  const { answer, error, again } = useAnswer(
    () => environments.client.environmentHistory(name),
    [name]
  );
  return (
    <TaskDialog
      model={model}
      title={`History of ${name}`}
      act="Undo"
      onClose={props.onClose}
    >
      {error ? (
        <Failure
          error={error}
          what="The history could not be read"
          retry={again}
        />
      ) : answer ? (
        <States
          states={answer.states}
          onUndo={digest =>
            void model.look({ action: 'restore', name, digest })
          }
        />
      ) : (
        <Skeleton lines={4} />
      )}
    </TaskDialog>
  );
}

function States(props: {
  states: EnvironmentHistory['states'];
  onUndo: (digest: string) => void;
}): React.ReactElement {
  const now = props.states.find(one => one.current)?.digest;
  return (
    <ol className="jp-Mlinfn-history" reversed>
      {props.states.map((state, index) => (
        <li key={`${state.at} ${index}`} aria-current={state.current}>
          <div>
            <span>{state.text}</span>
            <div className="jp-Mlinfn-hint jp-Mlinfn-numbers">
              {showTime(state.at)} ·{' '}
              <code title={state.digest}>{shortDigest(state.digest)}</code>
              {state.current && ' · now'}
            </div>
          </div>
          {state.digest !== now && (
            <Button
              aria-label={`Undo to: ${state.text}`}
              onClick={() => props.onUndo(state.digest)}
            >
              Undo to this
            </Button>
          )}
        </li>
      ))}
    </ol>
  );
}
