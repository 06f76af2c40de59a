import { DisposableDelegate } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import type { JobRecord } from '../../api/types';
import type { IJobChange, JobsModel } from '../model';
import { Notices } from '../notices';
import { job } from './fixtures';

describe('Notices', () => {
  const told: [string, string | null][] = [];
  let news: Signal<object, IJobChange>;
  let notices: Notices;
  let watching: number;

  beforeEach(() => {
    jest.useFakeTimers();
    told.length = watching = 0;
    const model = {
      watch: () => {
        watching += 1;
        return new DisposableDelegate(() => (watching -= 1));
      }
    };
    news = new Signal<object, IJobChange>(model);
    Object.assign(model, { jobChanged: news });
    notices = new Notices(model as unknown as JobsModel, (sentence, one) =>
      told.push([sentence, one?.id ?? null])
    );
  });

  afterEach(() => jest.useRealTimers());

  const asked = (changes: Partial<JobRecord> = {}) =>
    job({ state: 'running', ended_at: null, notify: ['lab'], ...changes });
  const say = (before: JobRecord | null, after: JobRecord | null) => {
    news.emit({ before, after });
    jest.advanceTimersByTime(1000);
  };

  it('tells once of a job that was asked about, and listens until then', () => {
    say(null, asked());
    expect(watching).toBe(1);
    const done = asked({ state: 'succeeded' });
    say(asked(), done);
    say(done, done);
    expect(told).toEqual([[`${done.name} succeeded`, done.id]]);
    expect(watching).toBe(0);
  });

  it('says nothing of others, unless all are wanted, and of none when off', () => {
    const other = asked({ notify: [] });
    say(other, { ...other, state: 'failed' });
    expect(told).toEqual([]);
    notices.which = 'all';
    say(other, { ...other, state: 'failed', reason: null });
    expect(told).toHaveLength(1);
    notices.which = 'none';
    say(asked(), asked({ state: 'failed' }));
    expect(told).toHaveLength(1);
    expect(watching).toBe(0);
  });

  it('does not tell of a job that had ended when it was first seen', () => {
    say(null, asked({ state: 'succeeded' }));
    expect(told).toEqual([]);
  });

  it('tells of many ends in one sentence', () => {
    for (const id of ['a', 'b', 'c', 'd']) {
      const one = asked({ id: id.repeat(10) });
      const state = id === 'd' ? 'failed' : 'succeeded';
      news.emit({ before: one, after: { ...one, state } });
    }
    jest.advanceTimersByTime(1000);
    expect(told).toEqual([['4 jobs have ended: 3 succeeded, 1 failed.', null]]);
  });

  it('stops listening when the job is deleted', () => {
    say(null, asked());
    say(asked(), null);
    expect(watching).toBe(0);
  });
});
