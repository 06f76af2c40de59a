import type { JobPage, JobRecord } from '../../api/types';
import type { Client, IJobsQuery } from '../../api/client';
import type { LiveSocket } from '../../api/live';
import { Signal } from '@lumino/signaling';
import { DisposableDelegate } from '@lumino/disposable';

import { JobsModel, matches, mergeJobs } from '../model';
import { job } from './fixtures';

const older = job({ id: 'older00000', submitted_at: '2026-11-21T07:00:00Z' });
const newer = job({ id: 'newer00000', submitted_at: '2026-11-21T09:00:00Z' });
const ids = (jobs: readonly JobRecord[] | null) => jobs?.map(one => one.id);
const all = () => true;

describe('mergeJobs', () => {
  it('puts new jobs in front and changes others in place', () => {
    const middle = job();
    const changed = { ...middle, state: 'running' as const };
    const merged = mergeJobs([middle, older], [changed, newer], [], all, true);
    expect(ids(merged)).toEqual(['newer00000', 'aaaaaaaaaa', 'older00000']);
    expect(merged[1].state).toBe('running');
  });

  it('takes out what was deleted and what no longer belongs', () => {
    const merged = mergeJobs(
      [newer, job(), older],
      [],
      ['newer00000'],
      one => one.id !== 'older00000',
      true
    );
    expect(ids(merged)).toEqual(['aaaaaaaaaa']);
  });

  it('leaves jobs of a later page to that page', () => {
    expect(ids(mergeJobs([newer], [older], [], all, false))).toEqual([
      'newer00000'
    ]);
    expect(ids(mergeJobs([newer], [older], [], all, true))).toHaveLength(2);
  });
});

it('searches name, id and source, whatever the case', () => {
  expect(matches(job(), 'TRAIN', [])).toBe(true);
  expect(matches(job(), 'aaaa', [])).toBe(true);
  expect(matches(job(), 'other', [])).toBe(false);
  expect(matches(job(), '', ['failed'])).toBe(false);
});

describe('JobsModel', () => {
  let queries: IJobsQuery[];
  let answers: (() => Promise<JobPage>)[];
  let frame: (frame: object) => void;
  let model: JobsModel;
  const counts = { running: 0, queued: 1, failed_today: 0, total: 1 };
  const page = (jobs: JobRecord[], next: string | null = null): JobPage => ({
    jobs,
    next,
    counts
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
    let release: (page: JobPage) => void = () => undefined;
    answers.push(() => new Promise(resolve => (release = resolve)));
    answers.push(async () => page([newer]));
    const slow = model.refresh();
    await model.refresh();
    release(page([older]));
    await slow;
    expect(ids(model.jobs)).toEqual(['newer00000']);
  });

  it('loads the next page behind the first, without doubles', async () => {
    answers.push(async () => page([newer, job()], 'cursor'));
    answers.push(async () => page([job(), older]));
    await model.refresh();
    expect(model.hasMore).toBe(true);
    await model.loadMore();
    expect(queries[1].cursor).toBe('cursor');
    expect(ids(model.jobs)).toEqual(['newer00000', 'aaaaaaaaaa', 'older00000']);
    expect(model.hasMore).toBe(false);
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
    model.setStates(['failed']);
    await settle();
    expect(queries[0].states).toEqual(['failed']);
  });
});
