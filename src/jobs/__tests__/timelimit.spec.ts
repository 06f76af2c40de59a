import { Signal } from '@lumino/signaling';

import type { JobRecord } from '../../api/types';
import type { IJobChange, JobsModel } from '../model';
import { leadOf, limitOf, TimeLimits } from '../timelimit';
import { job, SMALL } from './fixtures';

const NOW = Date.parse('2026-11-21T10:00:00Z');

function running(changes: Partial<JobRecord> = {}): JobRecord {
  return job({
    state: 'running',
    started_at: '2026-11-21T09:00:00Z',
    resources: { ...SMALL, time: 2 * 3600 },
    ...changes
  });
}

describe('TimeLimits', () => {
  const told: [string, number][] = [];
  let news: Signal<object, IJobChange>;

  beforeEach(() => {
    jest.useFakeTimers({ now: NOW });
    told.length = 0;
    const model = {};
    news = new Signal<object, IJobChange>(model);
    Object.assign(model, { jobChanged: news });
    new TimeLimits(model as unknown as JobsModel, (one, left) =>
      told.push([one.id, Math.round(left)])
    );
  });

  afterEach(() => jest.useRealTimers());

  const say = (after: JobRecord | null, before: JobRecord | null = null) =>
    news.emit({ before, after });

  it('warns once, ten minutes before the end of two hours', () => {
    say(running());
    jest.advanceTimersByTime(49 * 60_000);
    expect(told).toEqual([]);
    say(running({ attempts: 1 }));
    jest.advanceTimersByTime(60_000);
    expect(told).toEqual([['aaaaaaaaaa', 600]]);
    say(running({ attempts: 1 }));
    jest.advanceTimersByTime(3_600_000);
    expect(told).toHaveLength(1);
  });

  it('warns of another attempt again', () => {
    say(running());
    jest.advanceTimersByTime(3_600_000);
    say(running({ started_at: '2026-11-21T11:00:00Z' }));
    jest.advanceTimersByTime(2 * 3_600_000);
    expect(told).toHaveLength(2);
  });

  it('says nothing of what has ended, is being cancelled or was deleted', () => {
    say(running());
    say(running({ state: 'succeeded' }));
    say(running({ id: 'bbbbbbbbbb' }));
    say(running({ id: 'bbbbbbbbbb', cancelling: true }));
    const gone = running({ id: 'cccccccccc' });
    say(gone);
    say(null, gone);
    jest.advanceTimersByTime(7_200_000);
    expect(told).toEqual([]);
  });

  it('tells late what it hears late, and never what is over', () => {
    say(running({ started_at: '2026-11-21T08:05:00Z' }));
    say(running({ id: 'bbbbbbbbbb', started_at: '2026-11-21T07:00:00Z' }));
    jest.advanceTimersByTime(1);
    expect(told).toEqual([['aaaaaaaaaa', 300]]);
  });

  it('knows the limit of running jobs alone', () => {
    expect(limitOf(running())).toBe(Date.parse('2026-11-21T11:00:00Z'));
    expect(limitOf(job())).toBeNull();
    expect(leadOf(running())).toBe(600);
    expect(leadOf(running({ resources: { ...SMALL, time: 300 } }))).toBe(30);
  });
});
