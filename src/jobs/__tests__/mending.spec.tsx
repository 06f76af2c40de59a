import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import type { Client } from '../../api/client';
import { ApiProblem, ServerSilent } from '../../api/client';
import type { JobRequest, Remedy, Task, TaskRequest } from '../../api/types';
import { ended, task } from '../../environments/__tests__/fixtures';
import { Mismatch } from '../mismatch';
import { SubmitModel } from '../submitmodel';
import { form, job } from './fixtures';

const REMEDY: Remedy = {
  kind: 'lock',
  text: "Locking makes a new state of 'mine' with twig 0.5.",
  files: [],
  request: {
    action: 'relock',
    name: 'mine',
    after: null,
    preview: false,
    set_aside: false
  }
};
const RUNNING = task({ action: 'relock' });
const PROBLEM = {
  code: 'environment-mismatch',
  text: 'twig was added.',
  field: 'environment',
  hint: 'mlinfn submit --lock-now'
};

describe('an environment that was changed by hand', () => {
  let asked: TaskRequest[];
  let cancelled: string[];
  let sent: JobRequest[];
  let now: (() => Task)[];
  let problems: (typeof PROBLEM)[];
  let model: SubmitModel;

  const client = {
    form: async () => form(),
    draft: async () => ({
      ok: problems.length === 0,
      problems,
      remedy: problems.length ? REMEDY : null,
      notes: [],
      forecast: null,
      parameters: [],
      has_parameters_cell: true,
      accepted: {},
      environment: null,
      modules: [],
      output_folder: null
    }),
    submit: async (request: JobRequest) => {
      sent.push(request);
      return job();
    },
    startTask: async (request: TaskRequest) => {
      asked.push(request);
      return RUNNING;
    },
    task: async () => (now.length > 1 ? now.shift() : now[0])?.(),
    cancelTask: async (id: string) => {
      cancelled.push(id);
      return RUNNING;
    }
  } as unknown as Client;

  const draw = () =>
    renderToStaticMarkup(<Mismatch model={model} mend={() => undefined} />);
  const wait = (milliseconds = 2000) =>
    jest.advanceTimersByTimeAsync(milliseconds);

  beforeEach(async () => {
    jest.useFakeTimers();
    asked = [];
    cancelled = [];
    sent = [];
    now = [() => RUNNING];
    problems = [PROBLEM];
    model = new SubmitModel(client, {
      source: 'a.ipynb',
      save: async () => 'a.ipynb'
    });
    await model.load();
    await wait();
  });

  afterEach(() => {
    model.dispose();
    jest.useRealTimers();
  });

  it('says in words what the one button does', () => {
    expect(draw()).toContain('Lock what I have now and submit');
    expect(draw()).toContain('with twig 0.5');
    expect(draw()).not.toContain('disabled');
  });

  it('cannot be used while something else prevents the job', async () => {
    problems = [PROBLEM, { ...PROBLEM, code: 'bad-name', text: 'No name.' }];
    model.change({ name: '\n' });
    await wait();
    expect(draw()).toContain('disabled');
  });

  it('locks, shows how far it is, and submits', async () => {
    const done = model.mendAndSubmit(false);
    await wait();
    expect(asked).toEqual([REMEDY.request]);
    expect(draw()).toContain('keep this page open');
    expect(sent).toEqual([]);
    problems = [];
    now = [() => ended(RUNNING, 'succeeded', 'Locked.')];
    await wait();
    expect((await done)?.id).toBe(job().id);
    expect(sent).toHaveLength(1);
    await wait();
    expect(draw()).toBe('');
  });

  it('goes on when the form is closed', async () => {
    const done = model.mendAndSubmit(false);
    await wait();
    model.dispose();
    now = [() => ended(RUNNING, 'succeeded', 'Locked.')];
    await wait();
    expect((await done)?.id).toBe(job().id);
  });

  it('submits nothing when it was cancelled', async () => {
    const done = model.mendAndSubmit(false);
    await wait();
    await model.cancelMending();
    expect(cancelled).toEqual([RUNNING.id]);
    now = [() => ended(RUNNING, 'cancelled', 'Cancelled.')];
    await wait();
    expect(await done).toBeNull();
    expect(sent).toEqual([]);
    expect(model.error?.message).toContain('The job was not submitted.');
    expect(draw()).toContain('Cancelled.');
    expect(draw()).toContain('Lock what I have now and submit');
  });

  it('waits while the server is silent, and no longer when it refuses', async () => {
    now = [
      () => {
        throw new ServerSilent();
      },
      () => {
        throw new ApiProblem(404, 'no-such-task', 'There is no task.');
      }
    ];
    const done = model.mendAndSubmit(false);
    await wait();
    expect(await done).toBeNull();
    expect(model.error?.message).toBe('There is no task.');
  });
});
