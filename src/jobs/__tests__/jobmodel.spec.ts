import { Signal } from '@lumino/signaling';
import { DisposableDelegate } from '@lumino/disposable';

import type { JobRecord, LogChunk } from '../../api/types';
import { JobModel } from '../jobmodel';
import type { IJobChange, JobsModel } from '../model';
import { job } from './fixtures';

const LOG = 'line 1\nline 2\n';

describe('JobModel', () => {
  let log: string;
  let piece: number;
  let record: JobRecord;
  let starts: number[];
  let changed: Signal<object, IJobChange>;
  let model: JobModel;

  const chunk = (start: number): LogChunk => {
    const text = log.slice(start, start + piece);
    return {
      text,
      start,
      next: start + text.length,
      size: log.length,
      ended: record.state === 'succeeded'
    };
  };

  beforeEach(() => {
    jest.useFakeTimers();
    log = LOG;
    piece = 7;
    starts = [];
    record = job({ state: 'running', attempts: 1 });
    const jobs = {
      client: {
        details: async () => ({ job: record, attempts: [], values: [] }),
        log: async (_: string, start: number) => {
          starts.push(start);
          return chunk(start);
        }
      },
      live: { status: 'live' },
      watch: () => new DisposableDelegate(() => undefined)
    };
    changed = new Signal<object, IJobChange>(jobs);
    Object.assign(jobs, { jobChanged: changed });
    model = new JobModel('aaaaaaaaaa', jobs as unknown as JobsModel);
  });

  afterEach(() => {
    model.dispose();
    jest.useRealTimers();
  });

  const change = (after: JobRecord | null) => {
    const before = record;
    record = after ?? record;
    changed.emit({ before, after });
  };

  it('reads the whole log in pieces, then only what is new', async () => {
    model.watch();
    await jest.advanceTimersByTimeAsync(100);
    expect(model.log).toBe(LOG);
    log += 'line 3\n';
    await jest.advanceTimersByTimeAsync(600);
    expect(model.log).toBe(log);
    expect(starts).toEqual([0, 7, 14]);
  });

  it('of a long log reads only what it shows', async () => {
    piece = 262_144;
    log = `begin${'x'.repeat(9_000_000)}end`;
    model.watch();
    await jest.advanceTimersByTimeAsync(100);
    expect(model.log.slice(-4)).toBe('xend');
    expect(model.log).toHaveLength(1_000_000);
    expect(model.logCut).toBe(true);
    expect(starts).toHaveLength(5);
    expect(starts[1]).toBe(log.length - 1_000_000);
  });

  it('reads no more once the job has ended and all is read', async () => {
    model.watch();
    await jest.advanceTimersByTimeAsync(100);
    change(job({ state: 'succeeded', attempts: 1 }));
    await jest.advanceTimersByTimeAsync(3000);
    const reads = starts.length;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(starts).toHaveLength(reads);
  });

  it('reads nothing while nobody looks', async () => {
    model.watch().dispose();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(starts.length).toBeLessThanOrEqual(2);
  });

  it('begins the log again with a new start of the job', async () => {
    model.watch();
    await jest.advanceTimersByTimeAsync(100);
    log = 'again\n';
    change(job({ state: 'running', attempts: 2 }));
    expect(model.log).toBe('');
    await jest.advanceTimersByTimeAsync(1500);
    expect(model.log).toBe('again\n');
  });

  it('shows the newest record, and that the job was deleted', async () => {
    model.watch();
    await jest.advanceTimersByTimeAsync(100);
    change(job({ state: 'failed', attempts: 1 }));
    expect(model.job?.state).toBe('failed');
    change(null);
    expect(model.gone).toBe(true);
  });
});
