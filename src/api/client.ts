import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';

import type {
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
  GcPlan,
  GpuHistory,
  GpuSnapshot,
  JobDetails,
  JobNotebook,
  JobPage,
  JobRecord,
  JobRequest,
  JobState,
  LogChunk,
  PackageMatches,
  Problem,
  RegisteredKernel,
  RerunRequest,
  SubmitForm,
  Task,
  TaskList,
  TaskRequest
} from './types';

/** What went wrong, in the server's own words (RFC 9457). */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly problems: readonly Problem[] = []
  ) {
    super(detail);
    this.name = 'ApiProblem';
  }
}

/** The answer was no JSON: there is no server part behind this page. */
export class NoServerPart extends Error {
  constructor() {
    super('The server part of this extension is not there.');
    this.name = 'NoServerPart';
  }
}

/** The server did not answer at all. */
export class ServerSilent extends Error {
  constructor() {
    super('The Jupyter server does not answer. Is it running?');
    this.name = 'ServerSilent';
  }
}

/** What a jobs list is asked for. */
export interface IJobsQuery {
  states?: readonly JobState[];
  search?: string;
  limit?: number;
  cursor?: string | null;
}

interface ICall {
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

  jobs(query: IJobsQuery = {}): Promise<JobPage> {
    const found = new URLSearchParams();
    for (const state of query.states ?? []) {
      found.append('state', state);
    }
    if (query.search) {
      found.set('search', query.search);
    }
    if (query.limit) {
      found.set('limit', String(query.limit));
    }
    if (query.cursor) {
      found.set('cursor', query.cursor);
    }
    return this._call('jobs', { query: found });
  }

  form(source: string): Promise<SubmitForm> {
    return this._call('jobs/form', { query: new URLSearchParams({ source }) });
  }

  draft(request: JobRequest): Promise<Draft> {
    return this._call('jobs/draft', { method: 'POST', body: request });
  }

  submit(request: JobRequest, key: string): Promise<JobRecord> {
    return this._call('jobs', { method: 'POST', body: request, key });
  }

  rerun(id: string, request: RerunRequest, key: string): Promise<JobRecord> {
    return this._call(`jobs/${id}/rerun`, {
      method: 'POST',
      body: request,
      key
    });
  }

  details(id: string): Promise<JobDetails> {
    return this._call(`jobs/${id}`);
  }

  cancel(id: string): Promise<JobRecord> {
    return this._call(`jobs/${id}/cancel`, { method: 'POST', body: {} });
  }

  remove(id: string): Promise<void> {
    return this._call(`jobs/${id}`, { method: 'DELETE' });
  }

  log(id: string, start: number): Promise<LogChunk> {
    const query = new URLSearchParams({ start: String(start) });
    return this._call(`jobs/${id}/log`, { query });
  }

  notebook(id: string): Promise<JobNotebook> {
    return this._call(`jobs/${id}/notebook`);
  }

  kernel(id: string): Promise<DebugKernel> {
    return this._call(`jobs/${id}/kernel`, { method: 'POST', body: {} });
  }

  cleanup(request: CleanupRequest): Promise<CleanupPlan> {
    return this._call('jobs/cleanup', { method: 'POST', body: request });
  }

  environments(): Promise<EnvironmentList> {
    return this._call('environments');
  }

  environment(name: string): Promise<EnvironmentDetails> {
    return this._call(environmentPath(name));
  }

  environmentHistory(name: string): Promise<EnvironmentHistory> {
    return this._call(`${environmentPath(name)}/history`);
  }

  exportEnvironment(name: string, form: ExportForm): Promise<ExportedFile> {
    const query = new URLSearchParams({ form });
    return this._call(`${environmentPath(name)}/export`, { query });
  }

  /** What is other in `right` than in `left`; both are `NAME` or `NAME@DIGEST`. */
  difference(left: string, right: string): Promise<Difference> {
    const query = new URLSearchParams({ left, right });
    return this._call('environments/difference', { query });
  }

  searchPackages(search: string): Promise<PackageMatches> {
    const query = new URLSearchParams({ search });
    return this._call('environments/packages', { query });
  }

  tasks(): Promise<TaskList> {
    return this._call('environments/tasks');
  }

  task(id: string): Promise<Task> {
    return this._call(`environments/tasks/${id}`);
  }

  startTask(request: TaskRequest, key: string): Promise<Task> {
    return this._call('environments/tasks', {
      method: 'POST',
      body: request,
      key
    });
  }

  cancelTask(id: string): Promise<Task> {
    return this._call(`environments/tasks/${id}/cancel`, {
      method: 'POST',
      body: {}
    });
  }

  /** `image`: the kernel that runs out of the packed file. */
  registerKernel(name: string, image: boolean): Promise<RegisteredKernel> {
    return this._call(`${environmentPath(name)}/kernel`, {
      method: 'POST',
      body: { image }
    });
  }

  unregisterKernel(name: string, image: boolean): Promise<RegisteredKernel> {
    return this._call(`${environmentPath(name)}/kernel`, {
      method: 'DELETE',
      query: new URLSearchParams(image ? { image: 'true' } : {})
    });
  }

  removeEnvironment(name: string, force: boolean): Promise<DeletedEnvironment> {
    const query = new URLSearchParams(force ? { force: 'true' } : {});
    return this._call(environmentPath(name), { method: 'DELETE', query });
  }

  /** What nobody uses any more; nothing is removed. */
  garbage(): Promise<GcPlan> {
    return this._call('environments/gc');
  }

  gpus(): Promise<GpuSnapshot> {
    return this._call('gpus');
  }

  gpuHistory(uuid: string, seconds: number): Promise<GpuHistory> {
    const query = new URLSearchParams({ seconds: String(seconds) });
    return this._call(`gpus/${encodeURIComponent(uuid)}/history`, { query });
  }

  private async _call<T>(path: string, call: ICall = {}): Promise<T> {
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

/** The JSON of an answer, or the error that it means. */
export async function readAnswer<T>(response: Response): Promise<T> {
  if (response.status === 204) {
    return undefined as T;
  }
  const text = await response.text();
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    if (response.status >= 500) {
      throw new ApiProblem(
        response.status,
        'server-error',
        `The server could not answer (HTTP ${response.status}).`
      );
    }
    throw new NoServerPart();
  }
  if (!response.ok) {
    throw problemOf(response.status, answer);
  }
  return answer as T;
}

function problemOf(status: number, answer: unknown): ApiProblem {
  const found = (answer ?? {}) as {
    code?: string;
    detail?: string;
    title?: string;
    message?: string;
    problems?: Problem[];
  };
  return new ApiProblem(
    status,
    found.code ?? 'error',
    found.detail || found.title || found.message || `HTTP ${status}`,
    found.problems ?? []
  );
}
