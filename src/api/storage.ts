import type { Client } from './client';
import type {
  AreaList,
  AreaNote,
  BackupFolder,
  BackupList,
  DeletedFiles,
  RestoreRequest,
  RestoreTask
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
