import type { Client } from '../../api/client';
import { ApiProblem, ServerSilent } from '../../api/client';
import type { JobRequest } from '../../api/types';
import { SubmitModel } from '../submitmodel';
import { form, job } from './fixtures';

interface ISent {
  request: JobRequest;
  key: string;
}

describe('SubmitModel', () => {
  let sent: ISent[];
  let failures: Error[];
  let reruns: unknown[];
  let saves: number;
  let formFailure: Error | null;

  const client = {
    form: async () => {
      if (formFailure) {
        throw formFailure;
      }
      return form();
    },
    draft: async () => ({
      ok: true,
      problems: [],
      notes: [],
      forecast: null,
      parameters: [],
      has_parameters_cell: true,
      accepted: {},
      environment: null,
      modules: [],
      output_folder: null
    }),
    submit: async (request: JobRequest, key: string) => {
      sent.push({ request, key });
      const failure = failures.shift();
      if (failure) {
        throw failure;
      }
      return job();
    },
    rerun: async (id: string, changes: unknown) => {
      reruns.push([id, changes]);
      return job({ id: 'bbbbbbbbbb' });
    }
  } as unknown as Client;

  const make = (rerunOf?: ReturnType<typeof job>) =>
    new SubmitModel(client, {
      source: 'train.ipynb',
      rerunOf,
      save: async () => {
        saves += 1;
        return 'renamed.ipynb';
      }
    });

  beforeEach(() => {
    sent = [];
    failures = [];
    reruns = [];
    saves = 0;
    formFailure = null;
    jest.useFakeTimers();
  });

  afterEach(() => jest.useRealTimers());

  it('submits at once, with defaults, after saving', async () => {
    const accepted = await make().submit(false);
    expect(accepted?.id).toBe('aaaaaaaaaa');
    expect(saves).toBe(2);
    expect(sent[0].request).toMatchObject({
      source: 'renamed.ipynb',
      try_first: false,
      resources: form().defaults.resources
    });
  });

  it('tries first when asked to', async () => {
    await make().submit(true);
    expect(sent[0].request.try_first).toBe(true);
  });

  it('sends nothing while something typed cannot be read', async () => {
    const model = make();
    await model.load();
    model.change({ memory: 'much' });
    expect(await model.submit(false)).toBeNull();
    expect(sent).toEqual([]);
    expect(model.problems.map(one => one.field)).toEqual(['memory']);
  });

  it('uses one token for one click, however often the answer is lost', async () => {
    failures = [new ServerSilent(), new ServerSilent()];
    const pending = make().submit(false);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(await pending).not.toBeNull();
    expect(sent).toHaveLength(3);
    expect(new Set(sent.map(one => one.key)).size).toBe(1);
  });

  it('uses a new token for the next click after a job was accepted', async () => {
    const model = make();
    await model.submit(false);
    await model.submit(false);
    expect(sent[0].key).not.toBe(sent[1].key);
  });

  it('shows all problems of a refusal and keeps what was typed', async () => {
    const problem = { code: 'x', text: 'Too much.', field: 'cpus', hint: null };
    failures = [new ApiProblem(400, 'bad-input', 'No.', [problem])];
    const model = make();
    await model.load();
    model.change({ cpus: '99' });
    expect(await model.submit(false)).toBeNull();
    expect(model.problems).toEqual([problem]);
    expect(model.fields?.cpus).toBe('99');
    expect(model.submitting).toBe(false);
  });

  it('runs the recorded code again with the changes', async () => {
    const model = make(job({ parameters: { lr: 0.25 } }));
    await model.load();
    model.change({ cpus: '4' });
    await model.submit(false);
    expect(sent).toEqual([]);
    expect(reruns[0]).toMatchObject([
      'aaaaaaaaaa',
      { parameters: { lr: 0.25 }, resources: { cpus: 4 } }
    ]);
  });

  it('still can when the notebook is gone', async () => {
    formFailure = new ApiProblem(404, 'not-found', 'No such notebook.');
    const model = make(job({ parameters: { lr: 0.25 } }));
    await model.load();
    expect(model.sourceIsThere).toBe(false);
    await model.submit(false);
    expect(reruns).toHaveLength(1);
  });

  it('says so when the notebook of a new job is gone', async () => {
    formFailure = new ApiProblem(404, 'not-found', 'No such notebook.');
    const model = make();
    expect(await model.submit(false)).toBeNull();
    expect(model.error).toBe(formFailure);
  });
});
