import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';

import { ApiProblem, NoServerPart, readAnswer, ServerSilent } from './errors';
import type {
  BulkAnswer,
  BulkRequest,
  CleanupPlan,
  CleanupRequest,
  DebugKernel,
  DeletedEnvironment,
  Difference,
  Draft,
  EnvironmentDetails,
  EnvironmentHistory,
  EnvironmentList,
  ExportedFile,
  ExportForm,
  FoundJobs,
  GcPlan,
  GpuHistory,
  GpuSnapshot,
  JobDetails,
  JobDiff,
  JobNotebook,
  JobRecord,
  JobRequest,
  JobState,
  LogChunk,
  PackageMatches,
  PointPage,
  RegisteredKernel,
  ReleaseRequest,
  RerunRequest,
  SessionView,
  SubmitForm,
  Task,
  TaskList,
  TaskRequest
} from './types';

export { ApiProblem, NoServerPart, readAnswer, ServerSilent };

/** What a jobs list is asked for. */
export interface IJobsQuery {
  states?: readonly JobState[];
  search?: string;
  backends?: readonly string[];
  environments?: readonly string[];
  /** ISO 8601 with a zone. */
  since?: string;
  sweep?: boolean;
  /** States whose jobs are counted and not listed. */
  skip?: readonly JobState[];
  order?: 'newest' | 'groups';
  limit?: number;
  cursor?: string | null;
}

/** What can be done to many jobs at once. */
export type BulkVerb = 'cancel' | 'rerun' | 'delete';

/** Which points of a sweep are asked for, and how many of them. */
export interface IPointsPage {
  states: readonly JobState[];
  search: string;
  sort: string;
  order: 'asc' | 'desc';
  limit: number;
  cursor: string | null;
}

/** The points of sweeps: of one's own, or of one that somebody shares. */
export interface IPointsSource {
  points(id: string, query: IPointsPage): Promise<PointPage>;
  pointLog(id: string, point: number, start: number): Promise<LogChunk>;
  pointsCsv(id: string): Promise<string>;
}

/** What a call is made of. */
export interface ICall {
  method?: 'GET' | 'POST' | 'DELETE';
  body?: unknown;
  key?: string;
  query?: URLSearchParams;
}

/** A token for one click: the server submits once for one token, however often it arrives. */
export function newKey(): string {
  return UUID.uuid4();
}

/** The REST interface of the server part; every method raises one of the errors above. */
export class Client {
  constructor(readonly settings: ServerConnection.ISettings) {}

  jobs(query: IJobsQuery = {}): Promise<FoundJobs> {
    const found = new URLSearchParams();
    const lists = {
      state: query.states,
      backend: query.backends,
      environment: query.environments,
      skip: query.skip
    };
    for (const [name, values] of Object.entries(lists)) {
      values?.forEach(value => found.append(name, value));
    }
    const { search, since, sweep, order, limit, cursor } = query;
    const single = { search, since, sweep, order, limit, cursor };
    for (const [name, value] of Object.entries(single)) {
      if (value !== undefined && value !== null && value !== '') {
        found.set(name, String(value));
      }
    }
    return this.call('jobs', { query: found });
  }

  /** Do one thing to many jobs, as many as there is time for in one call. */
  bulk(verb: BulkVerb, request: BulkRequest, key: string): Promise<BulkAnswer> {
    return this.call(`jobs/bulk/${verb}`, {
      method: 'POST',
      body: request,
      key: verb === 'rerun' ? key : undefined
    });
  }

  form(source: string): Promise<SubmitForm> {
    return this.call('jobs/form', { query: new URLSearchParams({ source }) });
  }

  draft(request: JobRequest): Promise<Draft> {
    return this.call('jobs/draft', { method: 'POST', body: request });
  }

  submit(request: JobRequest, key: string): Promise<JobRecord> {
    return this.call('jobs', { method: 'POST', body: request, key });
  }

  rerun(id: string, request: RerunRequest, key: string): Promise<JobRecord> {
    return this.call(`jobs/${id}/rerun`, {
      method: 'POST',
      body: request,
      key
    });
  }

  details(id: string): Promise<JobDetails> {
    return this.call(`jobs/${id}`);
  }

  /** What differs between two jobs, or two points of sweeps. */
  diff(
    a: { id: string; point: number | null },
    b: { id: string; point: number | null }
  ): Promise<JobDiff> {
    const query = new URLSearchParams();
    Object.entries({ a_point: a.point, b_point: b.point }).forEach(
      ([name, point]) => point !== null && query.set(name, String(point))
    );
    return this.call(`jobs/${a.id}/diff/${b.id}`, { query });
  }

  cancel(id: string): Promise<JobRecord> {
    return this.call(`jobs/${id}/cancel`, { method: 'POST', body: {} });
  }

  /** Let a job go that its batch system holds; what is left out stays as it asks now. */
  release(id: string, request: ReleaseRequest): Promise<JobRecord> {
    return this.call(`jobs/${id}/release`, { method: 'POST', body: request });
  }

  remove(id: string): Promise<void> {
    return this.call(`jobs/${id}`, { method: 'DELETE' });
  }

  log(id: string, start: number): Promise<LogChunk> {
    const query = new URLSearchParams({ start: String(start) });
    return this.call(`jobs/${id}/log`, { query });
  }

  /** One page of the points of a sweep; `where` is the address of the job. */
  points(
    id: string,
    query: IPointsPage,
    where = `jobs/${id}`
  ): Promise<PointPage> {
    const { states, search, sort, order, limit, cursor } = query;
    const found = new URLSearchParams({ sort, order, limit: String(limit) });
    states.forEach(state => found.append('state', state));
    if (search) {
      found.set('search', search);
    }
    if (cursor) {
      found.set('cursor', cursor);
    }
    return this.call(`${where}/points`, { query: found });
  }

  pointLog(
    id: string,
    point: number,
    start: number,
    where = `jobs/${id}`
  ): Promise<LogChunk> {
    const query = new URLSearchParams({ start: String(start) });
    return this.call(`${where}/points/${point}/log`, { query });
  }

  pointNotebook(id: string, point: number): Promise<JobNotebook> {
    return this.call(`jobs/${id}/points/${point}/notebook`);
  }

  cancelPoint(id: string, point: number): Promise<JobRecord> {
    return this.call(`jobs/${id}/points/${point}/cancel`, {
      method: 'POST',
      body: {}
    });
  }

  /** All points of a sweep as the text of a CSV file. */
  async pointsCsv(id: string, where = `jobs/${id}`): Promise<string> {
    const url = URLExt.join(
      this.settings.baseUrl,
      `mlinfn/api/v1/${where}/points.csv`
    );
    const response = await ServerConnection.makeRequest(url, {}, this.settings);
    return response.ok ? response.text() : readAnswer<never>(response);
  }

  notebook(id: string): Promise<JobNotebook> {
    return this.call(`jobs/${id}/notebook`);
  }

  kernel(id: string): Promise<DebugKernel> {
    return this.call(`jobs/${id}/kernel`, { method: 'POST', body: {} });
  }

  cleanup(request: CleanupRequest): Promise<CleanupPlan> {
    return this.call('jobs/cleanup', { method: 'POST', body: request });
  }

  environments(): Promise<EnvironmentList> {
    return this.call('environments');
  }

  environment(name: string): Promise<EnvironmentDetails> {
    return this.call(environmentPath(name));
  }

  environmentHistory(name: string): Promise<EnvironmentHistory> {
    return this.call(`${environmentPath(name)}/history`);
  }

  exportEnvironment(name: string, form: ExportForm): Promise<ExportedFile> {
    const query = new URLSearchParams({ form });
    return this.call(`${environmentPath(name)}/export`, { query });
  }

  /** What is other in `right` than in `left`; both are `NAME` or `NAME@DIGEST`. */
  difference(left: string, right: string): Promise<Difference> {
    const query = new URLSearchParams({ left, right });
    return this.call('environments/difference', { query });
  }

  searchPackages(search: string): Promise<PackageMatches> {
    const query = new URLSearchParams({ search });
    return this.call('environments/packages', { query });
  }

  tasks(): Promise<TaskList> {
    return this.call('environments/tasks');
  }

  task(id: string): Promise<Task> {
    return this.call(`environments/tasks/${id}`);
  }

  startTask(request: TaskRequest, key: string): Promise<Task> {
    return this.call('environments/tasks', {
      method: 'POST',
      body: request,
      key
    });
  }

  cancelTask(id: string): Promise<Task> {
    return this.call(`environments/tasks/${id}/cancel`, {
      method: 'POST',
      body: {}
    });
  }

  /** `image`: the kernel that runs out of the packed file. */
  registerKernel(name: string, image: boolean): Promise<RegisteredKernel> {
    return this.call(`${environmentPath(name)}/kernel`, {
      method: 'POST',
      body: { image }
    });
  }

  unregisterKernel(name: string, image: boolean): Promise<RegisteredKernel> {
    return this.call(`${environmentPath(name)}/kernel`, {
      method: 'DELETE',
      query: new URLSearchParams(image ? { image: 'true' } : {})
    });
  }

  removeEnvironment(name: string, force: boolean): Promise<DeletedEnvironment> {
    const query = new URLSearchParams(force ? { force: 'true' } : {});
    return this.call(environmentPath(name), { method: 'DELETE', query });
  }

  /** What nobody uses any more; nothing is removed. */
  garbage(): Promise<GcPlan> {
    return this.call('environments/gc');
  }

  gpus(): Promise<GpuSnapshot> {
    return this.call('gpus');
  }

  gpuHistory(uuid: string, seconds: number): Promise<GpuHistory> {
    const query = new URLSearchParams({ seconds: String(seconds) });
    return this.call(`gpus/${encodeURIComponent(uuid)}/history`, { query });
  }

  /** Keep idle accelerators of this session a while longer. */
  keepSession(): Promise<SessionView> {
    return this.call('session/keep', { method: 'POST', body: {} });
  }

  /** One call; the answer's JSON, or one of the errors above. */
  async call<T>(path: string, call: ICall = {}): Promise<T> {
    const query = call.query?.toString();
    const url =
      URLExt.join(this.settings.baseUrl, 'mlinfn/api/v1', path) +
      (query ? `?${query}` : '');
    const headers: Record<string, string> = {};
    const init: RequestInit = {
      method: call.method ?? 'GET',
      cache: 'no-cache',
      headers
    };
    if (call.body !== undefined) {
      init.body = JSON.stringify(call.body);
      headers['Content-Type'] = 'application/json';
    }
    if (call.key) {
      headers['Idempotency-Key'] = call.key;
    }
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch (error) {
      if (error instanceof ServerConnection.NetworkError) {
        throw new ServerSilent();
      }
      throw error;
    }
    return readAnswer<T>(response);
  }
}

function environmentPath(name: string): string {
  return `environments/${encodeURIComponent(name)}`;
}
