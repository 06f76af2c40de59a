import { ServerConnection } from '@jupyterlab/services';

import {
  ApiProblem,
  Client,
  NoServerPart,
  readAnswer,
  ServerSilent
} from '../client';

function answer(body: string, status = 200): Response {
  return new Response(status === 204 ? null : body, { status });
}

function clientWith(respond: (request: Request) => Response | Error) {
  const requests: Request[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://server/base/',
    fetch: async (request: RequestInfo | URL) => {
      requests.push(request as Request);
      const found = respond(request as Request);
      if (found instanceof Error) {
        throw found;
      }
      return found;
    }
  });
  return { client: new Client(settings), requests };
}

describe('readAnswer', () => {
  it('gives the JSON of a good answer', async () => {
    expect(await readAnswer(answer('{"a": 1}'))).toEqual({ a: 1 });
  });

  it('gives nothing for 204', async () => {
    expect(await readAnswer(answer('', 204))).toBeUndefined();
  });

  it('turns a problem document into an error with all its problems', async () => {
    const problems = [
      { code: 'bad-memory', text: 'Too much.', field: 'memory', hint: null }
    ];
    const document = {
      title: 'Bad Request',
      status: 400,
      detail: 'Too much memory.',
      code: 'bad-input',
      problems
    };
    const failure = await readAnswer(
      answer(JSON.stringify(document), 400)
    ).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApiProblem);
    expect(failure).toMatchObject({
      status: 400,
      code: 'bad-input',
      message: 'Too much memory.',
      problems
    });
  });

  it('takes a page of HTML as: there is no server part', async () => {
    const page = answer('<html>404</html>', 404);
    await expect(readAnswer(page)).rejects.toBeInstanceOf(NoServerPart);
  });

  it('does not take a broken server for a missing one', async () => {
    const page = answer('<html>Bad gateway</html>', 502);
    await expect(readAnswer(page)).rejects.toMatchObject({ status: 502 });
  });
});

describe('Client', () => {
  it('asks for jobs with states, search, page size and cursor', async () => {
    const { client, requests } = clientWith(() => answer('{}'));
    await client.jobs({
      states: ['queued', 'running'],
      search: 'a&b',
      limit: 50,
      cursor: 'c'
    });
    const url = new URL(requests[0].url);
    expect(url.pathname).toBe('/base/mlinfn/api/v1/jobs');
    expect(url.searchParams.getAll('state')).toEqual(['queued', 'running']);
    expect(url.searchParams.get('search')).toBe('a&b');
    expect(url.searchParams.get('limit')).toBe('50');
    expect(url.searchParams.get('cursor')).toBe('c');
  });

  it('adds nothing to the query that was not asked for', async () => {
    const { client, requests } = clientWith(() => answer('{}'));
    await client.jobs();
    expect(new URL(requests[0].url).search).toBe('');
  });

  it('submits with the token of the click', async () => {
    const { client, requests } = clientWith(() => answer('{}', 201));
    await client.submit({ source: 'a.ipynb' }, 'token-1');
    expect(requests[0].method).toBe('POST');
    expect(requests[0].headers.get('Idempotency-Key')).toBe('token-1');
    expect(await requests[0].json()).toEqual({ source: 'a.ipynb' });
  });

  it('says so when the server does not answer', async () => {
    const { client } = clientWith(() => new TypeError('Failed to fetch'));
    await expect(client.gpus()).rejects.toBeInstanceOf(ServerSilent);
  });
});
