import * as React from 'react';

import type { BackupEntry } from '../api/types';
import { Button } from '../components/buttons';
import { SelectField } from '../components/field';
import { useModel } from '../components/panel';
import { count, showBytes, showTime } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import type { BackupsModel } from './backupsmodel';
import { entryText, pathText, restoreText, wayTo } from './words';

interface IBackupsProps {
  model: BackupsModel;
  title: string;
  onClose: () => void;
}

/** The copies of an area: what was deleted since on top, then folder by folder. */
export function Backups(props: IBackupsProps): React.ReactElement {
  const { model, title, onClose } = props;
  useModel(model);
  React.useEffect(() => void model.load(), [model]);
  return (
    <section className="jp-Mlinfn-submit" aria-label={`Backups of ${title}`}>
      <header className="jp-Mlinfn-headerLine">
        <h2>Backups of {title}</h2>
      </header>
      <div className="jp-Mlinfn-submitBody">
        <Content {...props} />
      </div>
      <footer className="jp-Mlinfn-buttons">
        <News model={model} />
        <Button onClick={onClose}>Close</Button>
      </footer>
    </section>
  );
}

function Content(props: IBackupsProps): React.ReactElement {
  const { model } = props;
  const { copies, chosen, error } = model;
  if (!copies && error) {
    return (
      <Failure
        error={error}
        what="The backups could not be read"
        retry={() => void model.load()}
      />
    );
  }
  if (!copies) {
    return <Skeleton lines={4} />;
  }
  if (!chosen) {
    return <p>No copy has been made yet.</p>;
  }
  return (
    <>
      <SelectField
        label="As it was"
        value={chosen.id}
        choices={copies.map(copy => ({
          value: copy.id,
          label: `${showTime(copy.made_at)} – ${count(copy.files, 'file')}, ${showBytes(copy.size)}`
        }))}
        onChange={id => void model.choose(id)}
      />
      {chosen.changed + chosen.unreadable > 0 && (
        <p className="jp-Mlinfn-hint">
          {count(chosen.changed, 'file')} changed while the copy was made,{' '}
          {count(chosen.unreadable, 'name')} could not be read.
        </p>
      )}
      {error && (
        <p className="jp-Mlinfn-problem" role="alert">
          {error.message}
        </p>
      )}
      <Deleted {...props} />
      <Folder {...props} />
    </>
  );
}

function Deleted(props: IBackupsProps): React.ReactElement {
  const { model } = props;
  const { deleted } = model;
  return (
    <section aria-label="Deleted since then">
      <h3>Deleted since then</h3>
      {!deleted && <Skeleton lines={2} />}
      {deleted && !deleted.entries.length && (
        <p>{deleted.complete ? 'Nothing.' : 'Nothing as far as was looked.'}</p>
      )}
      {deleted && deleted.entries.length > 0 && (
        <Entries
          label="Deleted since then"
          entries={deleted.entries}
          model={model}
          whole
        />
      )}
      {deleted && deleted.entries.length > 0 && !deleted.complete && (
        <p className="jp-Mlinfn-hint">
          There is more. Look for it in its folder below.
        </p>
      )}
    </section>
  );
}

function Folder(props: IBackupsProps): React.ReactElement | null {
  const { model } = props;
  const { folder } = model;
  if (!folder) {
    return model.error ? null : <Skeleton lines={3} />;
  }
  return (
    <section aria-label="All that is in the copy">
      <h3>All that is in the copy</h3>
      <nav aria-label="Folder" className="jp-Mlinfn-way">
        <button
          className="jp-Mlinfn-link"
          aria-current={folder.path === '' ? 'page' : undefined}
          onClick={() => void model.open('')}
        >
          {props.title}
        </button>
        {wayTo(folder.path).map(step => (
          <React.Fragment key={step.path}>
            {' / '}
            <button
              className="jp-Mlinfn-link"
              aria-current={step.path === folder.path ? 'page' : undefined}
              onClick={() => void model.open(step.path)}
            >
              {step.name}
            </button>
          </React.Fragment>
        ))}
      </nav>
      {folder.entries.length ? (
        <Entries
          label="Files of the copy"
          entries={folder.entries}
          model={model}
        />
      ) : (
        <p>This folder is empty.</p>
      )}
      {folder.more > 0 && (
        <p className="jp-Mlinfn-hint">
          {count(folder.more, 'further name')} not shown: name them with ‘mlinfn
          restore’ in a terminal.
        </p>
      )}
    </section>
  );
}

/** Names in a copy with what can be done; `whole`: with the folders they were in. */
function Entries(props: {
  label: string;
  entries: readonly BackupEntry[];
  model: BackupsModel;
  whole?: boolean;
}): React.ReactElement {
  const { model } = props;
  return (
    <ul className="jp-Mlinfn-entries" aria-label={props.label}>
      {props.entries.map(entry => {
        const name = props.whole ? pathText(entry.path) : entry.name;
        return (
          <li key={entry.path} data-deleted={entry.deleted}>
            <span className="jp-Mlinfn-entryName">
              {entry.kind === 'folder' ? (
                <button
                  className="jp-Mlinfn-link"
                  onClick={() => void model.open(entry.path)}
                >
                  {name}/
                </button>
              ) : (
                name
              )}
              <span className="jp-Mlinfn-hint jp-Mlinfn-numbers">
                {[
                  entryText(entry),
                  showTime(entry.modified),
                  entry.deleted && !props.whole ? 'deleted since' : ''
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </span>
            </span>
            <Restoring entry={entry} name={name} model={model} />
          </li>
        );
      })}
    </ul>
  );
}

function Restoring(props: {
  entry: BackupEntry;
  name: string;
  model: BackupsModel;
}): React.ReactElement | null {
  const { entry, name, model } = props;
  if (entry.kind === 'other') {
    return null;
  }
  if (entry.deleted) {
    return (
      <Button
        kind="accept"
        aria-label={`Restore ${name}`}
        disabled={model.busy}
        onClick={() => void model.restore(entry, 'back')}
      >
        Restore
      </Button>
    );
  }
  return (
    <span className="jp-Mlinfn-entryButtons">
      <Button
        aria-label={`Restore beside: ${name}`}
        disabled={model.busy}
        onClick={() => void model.restore(entry, 'beside')}
      >
        Restore beside
      </Button>
      <Button
        aria-label={`Replace ${name}`}
        title="What is there now goes to the trash of this area"
        disabled={model.busy}
        onClick={() => void model.restore(entry, 'back')}
      >
        Replace
      </Button>
    </span>
  );
}

/** What is being restored, or how it ended. */
function News(props: { model: BackupsModel }): React.ReactElement {
  const { model } = props;
  const { task } = model;
  return (
    <div className="jp-Mlinfn-restoreNews" role="status">
      {task && <p data-state={task.state}>{restoreText(task)}</p>}
      {task && model.silent && (
        <p>{model.silent.message} The restore goes on without it.</p>
      )}
      {task?.state === 'running' && (
        <Button onClick={() => void model.cancel()}>Cancel</Button>
      )}
    </div>
  );
}
