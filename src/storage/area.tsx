import { closeIcon, folderIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { AreaNote, AreaState } from '../api/types';
import { Button, IconButton } from '../components/buttons';
import { TextField } from '../components/field';
import { ProgressBar } from '../components/progress';
import { showAge } from '../components/quantities';
import type { IStorageActions } from './actions';
import type { StorageModel } from './model';
import {
  copiesText,
  countText,
  factsOf,
  fullness,
  NEARLY,
  outsideText,
  restoreText,
  useText
} from './words';

interface IAreaProps {
  state: AreaState;
  model: StorageModel;
  actions: IStorageActions;
}

/** One area: where it is, how full, who sees it, who works in it, its backups. */
export function AreaView(props: IAreaProps): React.ReactElement {
  const { state, actions } = props;
  const { area } = state;
  const outside = outsideText(state);
  const copies = copiesText(state);
  return (
    <section
      className="jp-Mlinfn-area"
      data-name={area.name}
      data-state={state.state}
      aria-label={area.title}
    >
      <div className="jp-Mlinfn-areaTitle">
        <h3>{area.title}</h3>
        {!outside && state.state === 'ready' && (
          <IconButton
            label={`Open ${area.title} in the file browser`}
            icon={folderIcon}
            run={() => actions.open(state)}
          />
        )}
        {area.store && state.state === 'ready' && (
          <IconButton
            label={`Look into ${area.title}`}
            icon={folderIcon}
            run={() => actions.browse(state)}
          />
        )}
      </div>
      <p className="jp-Mlinfn-path">{area.bucket ?? area.path}</p>
      {state.problem ? (
        <p className="jp-Mlinfn-areaProblem">{state.problem}</p>
      ) : (
        <Fullness state={state} />
      )}
      <ul className="jp-Mlinfn-areaFacts">
        {factsOf(area).map(fact => (
          <li key={fact}>{fact}</li>
        ))}
      </ul>
      {outside && state.state === 'ready' && (
        <p className="jp-Mlinfn-hint">{outside}</p>
      )}
      <Notes {...props} />
      <Restores {...props} />
      {copies && (
        <div className="jp-Mlinfn-areaLine">
          <span className="jp-Mlinfn-numbers">{copies}</span>
          <Button
            aria-label={`Backups of ${area.title}`}
            disabled={!state.copies}
            onClick={() => actions.showBackups(state)}
          >
            Backups…
          </Button>
        </div>
      )}
    </section>
  );
}

function Fullness(props: { state: AreaState }): React.ReactElement | null {
  const { state } = props;
  const text = useText(state);
  const share = fullness(state.use);
  if (!text) {
    return null;
  }
  const counted = countText(state);
  return (
    <div data-full={share !== null && share >= NEARLY}>
      {share !== null && (
        <ProgressBar
          share={share}
          label={`${state.area.title}: ${Math.round(share * 100)} % full`}
        />
      )}
      <p className="jp-Mlinfn-numbers">{text}</p>
      {counted && <p className="jp-Mlinfn-hint">{counted}</p>}
    </div>
  );
}

/** What is being brought back out of the backups, also since before this page was opened. */
function Restores(props: IAreaProps): React.ReactElement {
  const { model, state } = props;
  return (
    <div role="status">
      {model.restoresOf(state.area.name).map(task => (
        <div key={task.id} className="jp-Mlinfn-news" data-state={task.state}>
          <p>{restoreText(task)}</p>
          {task.state !== 'running' && (
            <IconButton
              label={`I have read what happened to ${task.name}`}
              icon={closeIcon}
              run={() => model.markRead(task.id)}
            />
          )}
        </div>
      ))}
    </div>
  );
}

/** Who works in a group's area; one's own note can be taken away. */
function Notes(props: IAreaProps): React.ReactElement | null {
  const { state, model } = props;
  const { area } = state;
  const [writing, setWriting] = React.useState(false);
  const [problem, setProblem] = React.useState<string | null>(null);
  if (area.kind !== 'collabspace' || state.state !== 'ready') {
    return null;
  }
  const attempt = (work: Promise<void>) =>
    work.then(
      () => setProblem(null),
      (error: Error) => setProblem(error.message)
    );
  return (
    <div className="jp-Mlinfn-areaNotes">
      {state.notes.map(note => (
        <NoteView
          key={note.id}
          note={note}
          remove={() => void attempt(model.removeNote(area.name, note.id))}
        />
      ))}
      {problem && (
        <p className="jp-Mlinfn-problem" role="alert">
          {problem}
        </p>
      )}
      {writing ? (
        <NoteForm
          close={() => setWriting(false)}
          add={(text, path) =>
            attempt(
              model.addNote(area.name, text, path).then(() => setWriting(false))
            )
          }
        />
      ) : (
        area.writable && (
          <button
            className="jp-Mlinfn-link jp-Mlinfn-areaNoteLink"
            onClick={() => setWriting(true)}
          >
            Say what you work on…
          </button>
        )
      )}
    </div>
  );
}

function NoteView(props: {
  note: AreaNote;
  remove: () => void;
}): React.ReactElement {
  const { note } = props;
  const where = note.path ? ` (${note.path})` : '';
  return (
    <div className="jp-Mlinfn-areaNote">
      <p>
        In use by <strong>{note.mine ? 'you' : note.person}</strong>
        {`${where}: ${note.text}`}{' '}
        <span className="jp-Mlinfn-hint">{showAge(note.since)}</span>
      </p>
      {note.mine && (
        <IconButton
          label={`Remove your note: ${note.text}`}
          icon={closeIcon}
          run={props.remove}
        />
      )}
    </div>
  );
}

function NoteForm(props: {
  add: (text: string, path: string) => Promise<void>;
  close: () => void;
}): React.ReactElement {
  const [text, setText] = React.useState('');
  const [path, setPath] = React.useState('');
  return (
    <form
      className="jp-Mlinfn-areaNoteForm"
      onSubmit={event => {
        event.preventDefault();
        void props.add(text, path);
      }}
      onKeyDown={event => event.key === 'Escape' && props.close()}
    >
      <TextField label="What you work on" value={text} onChange={setText} />
      <TextField
        label="File or folder, if you like"
        value={path}
        onChange={setPath}
      />
      <div className="jp-Mlinfn-areaLine">
        <Button type="button" onClick={props.close}>
          Cancel
        </Button>
        <Button type="submit" kind="accept" disabled={!text.trim()}>
          Tell the group
        </Button>
      </div>
    </form>
  );
}
