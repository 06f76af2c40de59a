import * as React from 'react';

import type { BulkVerb } from '../api/client';
import { Button } from '../components/buttons';
import { useModel } from '../components/panel';
import { ProgressBar } from '../components/progress';
import { count } from '../components/quantities';
import type { BulkModel } from './bulkmodel';

const SHOWN = 100;

interface IWords {
  /** `Delete 3 jobs?` */
  verb: string;
  doing: string;
  done: string;
  /** What it means, and what is kept. */
  means: string;
}

const WORDS: Record<BulkVerb, IWords> = {
  cancel: {
    verb: 'Cancel',
    doing: 'cancelled',
    done: 'cancelled',
    means: 'They end as soon as they can. What they have written so far stays.'
  },
  rerun: {
    verb: 'Rerun',
    doing: 'submitted again',
    done: 'submitted again',
    means:
      'Each runs again with the code, the parameters and the environment it recorded, as a new job.'
  },
  delete: {
    verb: 'Delete',
    doing: 'deleted',
    done: 'deleted',
    means:
      'Their records, logs and copies of the notebooks are deleted. This cannot be undone.'
  }
};

interface IBulkProps {
  model: BulkModel;
  /** What of the choice it does not apply to, in words; empty when there is nothing. */
  note: string;
  onClose: () => void;
}

/** Asks once, shows how far it is, and says in words what did not work. */
export function Bulk(props: IBulkProps): React.ReactElement {
  const { model, note, onClose } = props;
  useModel(model);
  const words = WORDS[model.verb];
  const title = `${words.verb} ${count(model.total, 'job')}`;
  return (
    <section className="jp-Mlinfn-submit">
      <header className="jp-Mlinfn-headerLine">
        <h2>{model.state === 'asked' ? `${title}?` : title}</h2>
      </header>
      <div className="jp-Mlinfn-submitBody">
        {model.state === 'asked' ? (
          <>
            <p>{words.means}</p>
            {note && <p>{note}</p>}
            {model.verb === 'delete' && <Outputs model={model} />}
          </>
        ) : (
          <Progress model={model} words={words} />
        )}
      </div>
      <Buttons model={model} verb={words.verb} onClose={onClose} />
    </section>
  );
}

function Buttons(props: {
  model: BulkModel;
  verb: string;
  onClose: () => void;
}): React.ReactElement {
  const { model, verb, onClose } = props;
  const begin = model.state === 'asked' || model.state === 'stopped';
  const warn = model.verb === 'rerun' ? 'jp-mod-accept' : 'jp-mod-warn';
  return (
    <footer className="jp-Mlinfn-buttons">
      {model.state === 'running' ? (
        <Button onClick={() => model.stop()}>Stop</Button>
      ) : (
        <Button autoFocus={model.state !== 'asked'} onClick={onClose}>
          {begin && model.state === 'asked' ? 'Keep as they are' : 'Close'}
        </Button>
      )}
      {begin && (
        <button
          className={`jp-Mlinfn-button ${warn}`}
          onClick={() => void model.run()}
        >
          {model.state === 'asked'
            ? `${verb} ${count(model.total, 'job')}`
            : 'Go on'}
        </button>
      )}
    </footer>
  );
}

function Outputs(props: { model: BulkModel }): React.ReactElement {
  const [outputs, setOutputs] = React.useState(props.model.outputs);
  return (
    <label className="jp-Mlinfn-check">
      <input
        type="checkbox"
        checked={outputs}
        onChange={event => {
          props.model.outputs = event.target.checked;
          setOutputs(event.target.checked);
        }}
      />
      Remove their output folders too
    </label>
  );
}

function Progress(props: {
  model: BulkModel;
  words: IWords;
}): React.ReactElement {
  const { model, words } = props;
  const { failed } = model;
  const share = model.total ? Math.min(1, model.done / model.total) : 1;
  return (
    <>
      <ProgressBar
        share={model.state === 'done' ? 1 : share}
        label={`Jobs ${words.doing}`}
      />
      <p role="status" className="jp-Mlinfn-numbers">
        {sentence(model, words)}
      </p>
      {model.error && (
        <p role="alert">
          {model.error.message} What was done until then stays done.
        </p>
      )}
      {failed.length > 0 && (
        <>
          <p>{count(failed.length, 'job')} stayed as they were:</p>
          <ul
            className="jp-Mlinfn-preview"
            tabIndex={0}
            aria-label="Jobs it did not work for"
          >
            {failed.slice(0, SHOWN).map(one => (
              <li key={one.id}>
                <span>{one.name ?? one.id}</span>
                <span className="jp-Mlinfn-hint">{one.text}</span>
              </li>
            ))}
          </ul>
          {failed.length > SHOWN && <p>and {failed.length - SHOWN} more.</p>}
        </>
      )}
    </>
  );
}

/** `40 of 100 jobs deleted.` */
export function sentence(
  model: Pick<BulkModel, 'state' | 'succeeded' | 'total'>,
  words: Pick<IWords, 'done'>
): string {
  const { state, succeeded, total } = model;
  if (state === 'done' && succeeded === total) {
    return `${count(total, 'job')} ${words.done}.`;
  }
  const so = `${succeeded} of ${count(total, 'job')} ${words.done}`;
  return state === 'stopped'
    ? `Stopped: ${so}.`
    : `${so}${state === 'done' ? '.' : '…'}`;
}
