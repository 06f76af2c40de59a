import type { Client, IPointsSource } from './client';
import type {
  JobDiff,
  JobNotebook,
  JobRecord,
  LogChunk,
  SharedDetails,
  SharedJob,
  SharedJobs,
  SharedRerun
} from './types';

/** The shared jobs of the REST interface. */
export class SharingClient {
  constructor(private readonly _client: Client) {}

  /** Put a read-only copy of an ended job into an area. */
  share(id: string, area: string | null): Promise<SharedJob> {
    const body = { area };
    return this._client.call(`jobs/${id}/share`, { method: 'POST', body });
  }

  unshare(id: string, area: string): Promise<void> {
    const body = { area };
    return this._client.call(`jobs/${id}/unshare`, { method: 'POST', body });
  }

  list(): Promise<SharedJobs> {
    return this._client.call('shared-jobs');
  }

  details(area: string, id: string): Promise<SharedDetails> {
    return this._client.call(place(area, id));
  }

  log(area: string, id: string, start: number): Promise<LogChunk> {
    const query = new URLSearchParams({ start: String(start) });
    return this._client.call(`${place(area, id)}/log`, { query });
  }

  /** The points of a sweep of this area. */
  points(area: string): IPointsSource {
    const { _client } = this;
    return {
      points: (id, query) => _client.points(id, query, place(area, id)),
      pointLog: (id, point, start) =>
        _client.pointLog(id, point, start, place(area, id)),
      pointsCsv: id => _client.pointsCsv(id, place(area, id))
    };
  }

  notebook(area: string, id: string): Promise<JobNotebook> {
    return this._client.call(`${place(area, id)}/notebook`);
  }

  /** What differs between the shared job and one of one's own. */
  diff(area: string, id: string, mine: string): Promise<JobDiff> {
    return this._client.call(`${place(area, id)}/diff/${mine}`);
  }

  /** Run it as a job of one's own. */
  rerun(
    area: string,
    id: string,
    request: SharedRerun,
    key: string
  ): Promise<JobRecord> {
    return this._client.call(`${place(area, id)}/rerun`, {
      method: 'POST',
      body: request,
      key
    });
  }
}

function place(area: string, id: string): string {
  return `shared-jobs/${encodeURIComponent(area)}/${id}`;
}
