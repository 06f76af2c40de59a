import { URLExt } from '@jupyterlab/coreutils';

import type { Client } from './client';
import type {
  AreaList,
  AreaNote,
  BackupFolder,
  BackupList,
  BucketFolder,
  DeletedFiles,
  EndedUpload,
  RestoreRequest,
  RestoreTask,
  StartedUpload,
  StoredPiece,
  UploadPiece
} from './types';

/** The storage areas of the REST interface. Paths are keys, as the server told them. */
export class StorageClient {
  constructor(private readonly _client: Client) {}

  areas(): Promise<AreaList> {
    return this._client.call('areas');
  }

  addNote(area: string, text: string, path: string): Promise<AreaNote> {
    const body = { text, path };
    return this._client.call(`areas/${area}/notes`, { method: 'POST', body });
  }

  removeNote(area: string, note: string): Promise<void> {
    const path = `areas/${area}/notes/${note}`;
    return this._client.call(path, { method: 'DELETE' });
  }

  backups(area: string): Promise<BackupList> {
    return this._client.call(`areas/${area}/backups`);
  }

  browse(area: string, copy: string, path: string): Promise<BackupFolder> {
    const query = new URLSearchParams({ path });
    return this._client.call(`areas/${area}/backups/${copy}`, { query });
  }

  /** A page of a folder of a bucket; `more` as the page before told it. */
  objects(
    area: string,
    path: string,
    search: string,
    more: string | null
  ): Promise<BucketFolder> {
    const query = new URLSearchParams({ path, search });
    if (more !== null) {
      query.set('more', more);
    }
    return this._client.call(`areas/${area}/objects`, { query });
  }

  removeObject(area: string, path: string): Promise<void> {
    const query = new URLSearchParams({ path });
    return this._client.call(`areas/${area}/objects`, {
      method: 'DELETE',
      query
    });
  }

  /** Where the browser saves an object from: it never lies in this page's memory. */
  objectUrl(area: string, path: string): string {
    const place = `mlinfn/api/v1/areas/${area}/objects/content`;
    const query = new URLSearchParams({ path });
    return `${URLExt.join(this._client.settings.baseUrl, place)}?${query.toString()}`;
  }

  startUpload(
    area: string,
    path: string,
    replace: boolean
  ): Promise<StartedUpload> {
    const body = { path, replace };
    return this._client.call(`areas/${area}/uploads`, { method: 'POST', body });
  }

  sendPiece(area: string, body: UploadPiece): Promise<StoredPiece> {
    const path = `areas/${area}/uploads/piece`;
    return this._client.call(path, { method: 'POST', body });
  }

  /** Put the pieces together; none of them: throw away what was sent. */
  endUpload(area: string, body: EndedUpload): Promise<void> {
    const path = `areas/${area}/uploads/end`;
    return this._client.call(path, { method: 'POST', body });
  }

  /** What was deleted since the copy was made. */
  deleted(area: string, copy: string): Promise<DeletedFiles> {
    return this._client.call(`areas/${area}/backups/${copy}/deleted`);
  }

  restore(area: string, body: RestoreRequest): Promise<RestoreTask> {
    return this._client.call(`areas/${area}/restore`, { method: 'POST', body });
  }

  task(id: string): Promise<RestoreTask> {
    return this._client.call(`restores/${id}`);
  }

  cancel(id: string): Promise<RestoreTask> {
    return this._client.call(`restores/${id}/cancel`, {
      method: 'POST',
      body: {}
    });
  }
}
