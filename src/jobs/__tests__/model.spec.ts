import type { FoundJobs, JobRecord } from '../../api/types';
import type { Client, IJobsQuery } from '../../api/client';
import type { LiveSocket } from '../../api/live';
import { Signal } from '@lumino/signaling';
import { DisposableDelegate } from '@lumino/disposable';

import { NO_FILTER } from '../filter';
import { JobsModel } from '../model';
import { job } from './fixtures';

const older = job({ id: 'older00000', submitted_at: '2026-11-21T07:00:00Z' });
const newer = job({ id: 'newer00000', submitted_at: '2026-11-21T09:00:00Z' });
const ids = (jobs: readonly JobRecord[] | null) => jobs?.map(one => one.id);

describe('JobsModel', () => {
  let queries: IJobsQuery[];
  let answers: (() => Promise<FoundJobs>)[];
  let frame: (frame: object) => void;
  let model: JobsModel;
  const counts = {
    running: 0,
    queued: 1,
    failed_today: 0,
    total: 1,
    by_state: { queued: 1 }
  };
  const page = (jobs: JobRecord[], next: string | null = null): FoundJobs => ({
    jobs,
    next,
    counts,
    matching: { queued: jobs.length },
    choices: null
  });

  beforeEach(() => {
    queries = [];
    answers = [];
    const client = {
      jobs: (query: IJobsQuery) => {
        queries.push(query);
        return (answers.shift() ?? (async () => page([])))();
      }
    } as unknown as Client;
    const live = {
      subscribe: (_: string, listener: (frame: object) => void) => {
        frame = listener;
        return new DisposableDelegate(() => undefined);
      }
    } as unknown as LiveSocket;
    Object.assign(live, { statusChanged: new Signal(live) });
    model = new JobsModel(client, live);
  });

  const settle = () => new Promise(resolve => setTimeout(resolve, 0));

  it('keeps the list true by live frames while it is watched', async () => {
    answers.push(async () => page([job()]));
    model.watch();
    await settle();
    expect(ids(model.jobs)).toEqual(['aaaaaaaaaa']);
    frame({
      type: 'delta',
      data: { changed: [newer], deleted: ['aaaaaaaaaa'], counts }
    });
    expect(ids(model.jobs)).toEqual(['newer00000']);
  });

  it('announces a change once', async () => {
    const said: string[] = [];
    model.announced.connect((_, sentence) => said.push(sentence));
    answers.push(async () => page([job()]));
    await model.refresh();
    const running = job({ state: 'running' });
    model.watch();
    frame({
      type: 'delta',
      data: { changed: [running], deleted: [], counts }
    });
    model.put(running);
    expect(said).toEqual(['train.ipynb running']);
  });

  it('shows the answer to the newest question only', async () => {
    let release: (page: FoundJobs) => void = () => undefined;
    answers.push(() => new Promise(resolve => (release = resolve)));
    answers.push(async () => page([newer]));
    const slow = model.refresh();
    await model.refresh();
    release(page([older]));
    await slow;
    expect(ids(model.jobs)).toEqual(['newer00000']);
  });

  it('loads the rest of one group, without doubles', async () => {
    const first = page([newer, job()], 'g1n8');
    answers.push(async () => ({
      ...first,
      matching: { queued: 3, failed: 1 }
    }));
    await model.refresh();
    expect(model.entries.map(one => one.key)).toContain('more-failed');
    answers.push(async () => page([job(), older]));
    await model.loadMore('queued');
    expect(queries[1].cursor).toBe('g1n8');
    expect(queries[1].skip).not.toContain('queued');
    expect(queries[1].skip).toContain('failed');
    expect(ids(model.jobs)).toEqual(['newer00000', 'aaaaaaaaaa', 'older00000']);
    await model.loadMore('queued');
    expect(queries).toHaveLength(2);
    await model.loadMore('failed');
    expect(queries[2].cursor).toBeNull();
  });

  it('asks again for the rest of a group only by hand when that failed', async () => {
    answers.push(async () => ({
      ...page([newer], 'g1n8'),
      matching: { queued: 3 }
    }));
    await model.refresh();
    answers.push(async () => {
      throw new Error('no');
    });
    await model.loadMore('queued');
    await model.loadMore('queued');
    expect(queries).toHaveLength(2);
    expect(model.trouble('queued')?.message).toBe('no');
    await model.loadMore('queued', true);
    expect(queries).toHaveLength(3);
    expect(model.trouble('queued')).toBeNull();
  });

  it('keeps what it has when the server fails', async () => {
    answers.push(async () => page([job()]));
    await model.refresh();
    answers.push(async () => {
      throw new Error('no');
    });
    await model.refresh();
    expect(model.error?.message).toBe('no');
    expect(ids(model.jobs)).toEqual(['aaaaaaaaaa']);
  });

  it('asks the server again when a filter is set', async () => {
    model.setFilter({ states: ['failed'], backends: ['slurm'], within: 3600 });
    await settle();
    expect(queries[0]).toMatchObject({
      states: ['failed'],
      backends: ['slurm'],
      order: 'groups'
    });
    const asked = Date.parse(queries[0].since ?? '');
    expect(Math.abs(Date.now() - 3.6e6 - asked)).toBeLessThan(60_000);
  });

  it('does not ask for the jobs of closed groups, and still counts them', async () => {
    answers.push(async () => page([job()]));
    await model.refresh();
    answers.push(async () => ({ ...page([]), matching: { queued: 1 } }));
    model.toggle('queued');
    await settle();
    expect(queries[1].skip).toEqual(['queued', 'evicted']);
    expect(model.entries).toMatchObject([
      { kind: 'group', jobs: 1, open: false }
    ]);
    model.put(job({ id: 'another000' }));
    expect(ids(model.jobs)).toEqual([]);
  });

  it('takes a whole list from the live socket and asks for the rest of a long one', async () => {
    model.watch();
    await settle();
    queries.length = 0;
    const failed = job({ id: 'failed0000', state: 'failed' });
    const all = { jobs: [failed, job()], next: null, counts };
    frame({ type: 'full', data: all });
    expect(ids(model.jobs)).toEqual(['aaaaaaaaaa', 'failed0000']);
    expect(model.choices.backends).toEqual(['local']);
    expect(queries).toEqual([]);
    answers.push(async () => page([newer], 'g1n5'));
    frame({ type: 'full', data: { ...all, next: 'n5' } });
    await settle();
    expect(queries).toHaveLength(1);
  });

  it('keeps the filter and the closed groups of a workspace', async () => {
    model.restore({ ...NO_FILTER, search: 'lr' }, ['failed', 'nonsense']);
    await settle();
    expect(queries[0].search).toBe('lr');
    expect(model.folded).toEqual(['failed']);
  });

  it('forgets a chosen job that was deleted', async () => {
    answers.push(async () => page([job(), newer]));
    await model.refresh();
    model.selection.choose(['aaaaaaaaaa', 'newer00000'], 'aaaaaaaaaa');
    model.drop('newer00000');
    expect([...model.selection.chosen]).toEqual(['aaaaaaaaaa']);
  });
});
