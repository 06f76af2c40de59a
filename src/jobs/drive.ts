import type { INotebookContent } from '@jupyterlab/nbformat';
import type { Contents, ServerConnection } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import { PathExt } from '@jupyterlab/coreutils';

import type { Client } from '../api/client';
import { SharingClient } from '../api/sharing';
import type { JobNotebook } from '../api/types';
import { joinLines } from './multiline';

export const DRIVE = 'MlinfnJobs';

const SHARED = 'shared';

/**
 * Where the notebook of a job, or of one point of a sweep, lies in our drive; it ends in the
 * notebook's own name.
 */
export function drivePath(id: string, source: string, point?: number): string {
  const name = PathExt.basename(source, PathExt.extname(source)) || 'notebook';
  return point === undefined
    ? `${DRIVE}:${id}/${name}.ipynb`
    : `${DRIVE}:${id}/${point}/${name}-point-${point}.ipynb`;
}

/** The job that a path of this drive, with or without the drive's name, belongs to. */
export function jobOfPath(path: string): string {
  return path.replace(`${DRIVE}:`, '').split('/')[0];
}

/** Where the notebook of a shared job lies in our drive. */
export function sharedPath(area: string, id: string, source: string): string {
  const name = PathExt.basename(source, PathExt.extname(source)) || 'notebook';
  return `${DRIVE}:${SHARED}/${encodeURIComponent(area)}/${id}/${name}.ipynb`;
}

/** The notebook behind a path of this drive. */
export function readNotebook(
  client: Client,
  path: string
): Promise<JobNotebook> {
  const parts = path.replace(`${DRIVE}:`, '').split('/');
  if (parts[0] === SHARED) {
    const shared = new SharingClient(client);
    return shared.notebook(decodeURIComponent(parts[1]), parts[2]);
  }
  const id = jobOfPath(path);
  return parts.length > 2
    ? client.pointNotebook(id, Number(parts[1]))
    : client.notebook(id);
}

/**
 * The notebooks of jobs, partial or final, wherever their folders lie: read-only, served by
 * the REST interface.
 */
export class JobsDrive implements Contents.IDrive {
  constructor(private readonly _client: Client) {}

  readonly name = DRIVE;

  get serverSettings(): ServerConnection.ISettings {
    return this._client.settings;
  }

  get fileChanged(): ISignal<this, Contents.IChangedArgs> {
    return this._fileChanged;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    Signal.clearData(this);
  }

  async get(
    localPath: string,
    options?: Contents.IFetchOptions
  ): Promise<Contents.IModel> {
    if (!localPath) {
      return model(localPath, 'directory', null, []);
    }
    const notebook = await readNotebook(this._client, localPath);
    const wanted = options?.content !== false;
    const content = wanted
      ? joinLines(notebook.content as INotebookContent)
      : null;
    return model(localPath, 'notebook', notebook.modified, content);
  }

  async listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return [];
  }

  getDownloadUrl(): Promise<string> {
    return readOnly();
  }

  newUntitled(): Promise<Contents.IModel> {
    return readOnly();
  }

  delete(): Promise<void> {
    return readOnly();
  }

  rename(): Promise<Contents.IModel> {
    return readOnly();
  }

  save(): Promise<Contents.IModel> {
    return readOnly();
  }

  copy(): Promise<Contents.IModel> {
    return readOnly();
  }

  createCheckpoint(): Promise<Contents.ICheckpointModel> {
    return readOnly();
  }

  restoreCheckpoint(): Promise<void> {
    return readOnly();
  }

  deleteCheckpoint(): Promise<void> {
    return readOnly();
  }

  private readonly _fileChanged = new Signal<this, Contents.IChangedArgs>(this);
  private _disposed = false;
}

function readOnly<T>(): Promise<T> {
  return Promise.reject(
    new Error("A job's notebook can be read only. Use 'Open output' to edit.")
  );
}

function model(
  path: string,
  type: 'directory' | 'notebook',
  modified: string | null,
  content: unknown
): Contents.IModel {
  const time = modified ?? new Date(0).toISOString();
  return {
    name: PathExt.basename(path),
    path,
    type,
    writable: false,
    created: time,
    last_modified: time,
    mimetype: '',
    format: content === null ? null : 'json',
    content
  } as Contents.IModel;
}
