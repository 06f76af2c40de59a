import { folderIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { BucketEntry } from '../api/types';
import { Button } from '../components/buttons';
import { TextField } from '../components/field';
import { useModel } from '../components/panel';
import { ProgressBar } from '../components/progress';
import { showBytes, showTime } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import type { ObjectsModel } from './objectsmodel';

interface IObjectsProps {
  model: ObjectsModel;
  title: string;
  writable: boolean;
  onClose: () => void;
}

/** What lies in a bucket, folder by folder: to save, to put in, to delete. */
export function Objects(props: IObjectsProps): React.ReactElement {
  const { model, title, onClose } = props;
  useModel(model);
  React.useEffect(() => void model.open(''), [model]);
  return (
    <section className="jp-Mlinfn-submit" aria-label={title}>
      <header className="jp-Mlinfn-headerLine">
        <h2>{title}</h2>
      </header>
      <div className="jp-Mlinfn-submitBody">
        <Content {...props} />
      </div>
      <footer className="jp-Mlinfn-buttons">
        <Sending model={model} />
        {props.writable && <Upload model={model} />}
        <Button onClick={onClose}>Close</Button>
      </footer>
    </section>
  );
}

function Content(props: IObjectsProps): React.ReactElement {
  const { model } = props;
  const { entries, error } = model;
  if (!entries) {
    return (
      <>
        <Way {...props} />
        {error ? (
          <Failure
            error={error}
            what="It could not be read"
            retry={() => void model.open(model.path)}
          />
        ) : (
          <Skeleton lines={4} />
        )}
      </>
    );
  }
  return (
    <>
      <Way {...props} />
      <TextField
        label="Names that begin with"
        value={model.search}
        onChange={text => void model.open(model.path, text)}
      />
      {error && (
        <p className="jp-Mlinfn-problem" role="alert">
          {error.message}
        </p>
      )}
      {entries.length ? (
        <ul className="jp-Mlinfn-entries" aria-label="Objects">
          {entries.map(entry => (
            <Entry
              key={`${entry.kind} ${entry.path}`}
              entry={entry}
              {...props}
            />
          ))}
        </ul>
      ) : (
        <p>{emptyText(props)}</p>
      )}
      {model.hasMore && (
        <Button onClick={() => void model.readOn()}>Show more</Button>
      )}
    </>
  );
}

/** Why there is nothing to see, and how something comes there. */
function emptyText({ model, writable }: IObjectsProps): string {
  if (model.search) {
    return `No name begins with ‘${model.search}’ here.`;
  }
  const what = model.path ? 'This folder' : 'This bucket';
  const how = writable ? ' Upload… puts a file of your computer here.' : '';
  return `${what} is empty.${how}`;
}

function Way(props: IObjectsProps): React.ReactElement {
  const { model } = props;
  const parts = model.path ? model.path.split('/') : [];
  return (
    <nav aria-label="Folder" className="jp-Mlinfn-way">
      {['Top folder', ...parts].map((name, at) => (
        <React.Fragment key={at}>
          {at > 0 && ' / '}
          <button
            className="jp-Mlinfn-link"
            aria-current={at === parts.length ? 'page' : undefined}
            onClick={() => void model.open(parts.slice(0, at).join('/'))}
          >
            {name}
          </button>
        </React.Fragment>
      ))}
    </nav>
  );
}

function Entry(
  props: IObjectsProps & { entry: BucketEntry }
): React.ReactElement {
  const { entry, model } = props;
  return (
    <li>
      <span className="jp-Mlinfn-entryName">
        {entry.kind === 'folder' ? (
          <button
            className="jp-Mlinfn-link"
            onClick={() => void model.open(entry.path)}
          >
            <folderIcon.react tag="span" width="16px" verticalAlign="middle" />{' '}
            {entry.name}/
          </button>
        ) : (
          entry.name
        )}
        <span className="jp-Mlinfn-hint jp-Mlinfn-numbers">
          {entryText(entry)}
        </span>
      </span>
      {entry.kind === 'object' && <EntryButtons {...props} />}
    </li>
  );
}

/** Its size and date; of a name that cannot be used here, what can. */
function entryText(entry: BucketEntry): string {
  if (entry.kind === 'odd') {
    return 'a name for programs of S3 alone';
  }
  return [
    entry.size === null ? '' : showBytes(entry.size),
    entry.modified ? showTime(entry.modified) : ''
  ]
    .filter(Boolean)
    .join(' · ');
}

function EntryButtons(
  props: IObjectsProps & { entry: BucketEntry }
): React.ReactElement {
  const { entry, model } = props;
  const [asking, setAsking] = React.useState(false);
  if (asking) {
    return (
      <span className="jp-Mlinfn-entryButtons" role="alert">
        Delete for ever?
        <Button
          kind="warn"
          aria-label={`Delete ${entry.name} for ever`}
          onClick={() => void model.remove(entry).then(() => setAsking(false))}
        >
          Delete
        </Button>
        <Button onClick={() => setAsking(false)}>Keep</Button>
      </span>
    );
  }
  return (
    <span className="jp-Mlinfn-entryButtons">
      <a
        className="jp-Mlinfn-button"
        href={model.client.objectUrl(model.area, entry.path)}
        download={entry.name}
        aria-label={`Download ${entry.name}`}
      >
        Download
      </a>
      {props.writable && (
        <Button
          aria-label={`Delete ${entry.name}…`}
          onClick={() => setAsking(true)}
        >
          Delete…
        </Button>
      )}
    </span>
  );
}

function Upload(props: { model: ObjectsModel }): React.ReactElement {
  const { model } = props;
  const input = React.useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        aria-label="A file to upload"
        onChange={event => {
          const [file] = event.target.files ?? [];
          if (file) {
            void model.send(file);
          }
          event.target.value = '';
        }}
      />
      <Button
        disabled={model.sending !== null}
        onClick={() => input.current?.click()}
      >
        Upload…
      </Button>
    </>
  );
}

/** What is being sent, or what stands in its way. */
function Sending(props: { model: ObjectsModel }): React.ReactElement {
  const { model } = props;
  const { sending, taken } = model;
  return (
    <div className="jp-Mlinfn-restoreNews" role="status">
      {sending && (
        <>
          <ProgressBar
            share={sending.size ? sending.sent / sending.size : 0}
            label={`${sending.name} is being sent`}
          />
          <p>{`${sending.name}: ${showBytes(sending.sent)} of ${showBytes(sending.size)}`}</p>
          <Button onClick={() => model.cancel()}>Cancel</Button>
        </>
      )}
      {taken && (
        <>
          <p>There is a {taken.name} already. Write over it?</p>
          <Button kind="warn" onClick={() => void model.send(taken, true)}>
            Replace
          </Button>
          <Button onClick={() => model.keep()}>Keep</Button>
        </>
      )}
    </div>
  );
}
