import type { Problem } from './types';

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
