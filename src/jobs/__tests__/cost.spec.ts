import type { Attempt, JobDetails, JobRecord, Point } from '../../api/types';
import {
  adviceFor,
  costOf,
  costOfPoints,
  costText,
  heldSeconds
} from '../cost';
import { spans, steps } from '../timeline';
import { job, SMALL } from './fixtures';

const GIB = 2 ** 30;

function attempt(number: number, changes: Partial<Attempt> = {}): Attempt {
  return {
    number,
    state: 'succeeded',
    reason: null,
    host: null,
    accelerators: [],
    started_at: '2026-11-21T08:00:00Z',
    ended_at: '2026-11-21T09:00:00Z',
    exit_code: 0,
    usage: { peak_memory: null, cpu_seconds: null },
    lost_seconds: null,
    node: null,
    ...changes
  };
}

const evicted = attempt(1, {
  state: 'evicted',
  reason: { code: 'preempted', text: 'It gave its place to another job.' },
  lost_seconds: 720,
  started_at: '2026-11-21T08:10:00Z',
  ended_at: '2026-11-21T08:40:00Z'
});
const resumed = attempt(2, {
  started_at: '2026-11-21T08:50:00Z',
  ended_at: '2026-11-21T09:50:00Z'
});
const done = job({
  state: 'succeeded',
  resources: { ...SMALL, cpus: 4, gpus: 1, memory: 32 * GIB, time: 8 * 3600 },
  usage: { peak_memory: 3.1 * GIB, cpu_seconds: 3600 },
  submitted_at: '2026-11-21T08:00:00Z',
  started_at: resumed.started_at,
  ended_at: resumed.ended_at
});

describe('what a job cost', () => {
  it('is what all starts held, in hours with their units', () => {
    const cost = costOf(done, [evicted, resumed]);
    expect(cost.cpuHours).toBeCloseTo(6);
    expect(costText(cost)).toBe(
      '6.0 CPU-hours · 1.5 GPU-hours in 2 starts; 12 min of work lost by evictions'
    );
  });

  it('counts a start that still runs until now', () => {
    const runs = attempt(1, { ended_at: null });
    const now = Date.parse('2026-11-21T08:30:00Z');
    expect(heldSeconds([runs], now)).toBe(1800);
    expect(heldSeconds([attempt(1, { started_at: null })], now)).toBe(0);
  });

  it('adds up what the points of a sweep held', () => {
    const ran = attempt(1) as unknown as Point;
    const waits = attempt(1, { started_at: null }) as unknown as Point;
    const cost = costOfPoints(done, [ran, ran, waits]);
    expect(cost).toEqual({ cpuHours: 8, gpuHours: 2, starts: 2, lost: 0 });
  });

  it('never rounds little to nothing', () => {
    const short = { cpuHours: 0.0123, gpuHours: 0, starts: 1, lost: 0 };
    expect(costText(short)).toBe('0.012 CPU-hours');
    expect(costText({ ...short, cpuHours: 1e-5 })).toContain('less than');
  });
});

describe('what to ask for next time', () => {
  it('is what it used and a third more, where that is much less', () => {
    const advice = adviceFor(done, [evicted, resumed]);
    expect(advice?.sentences).toEqual([
      'Asked 32.0 GiB, used 3.1 GiB: ask 5.0 GiB next time.',
      'Asked 4 CPUs, used 1.0 on average: ask 2 CPUs next time.',
      'Asked 8 h, used 1 h: ask 1 h 30 min next time.'
    ]);
    expect(advice?.resources).toEqual({
      ...done.resources,
      cpus: 2,
      memory: 5 * GIB,
      time: 5400
    });
  });

  it('is nothing where it asked well, failed, or nothing is known', () => {
    const well = { ...done.resources, cpus: 1, memory: 4 * GIB, time: 7200 };
    expect(adviceFor({ ...done, resources: well }, [resumed])).toBeNull();
    expect(adviceFor({ ...done, state: 'failed' }, [resumed])).toBeNull();
    const unknown = { peak_memory: null, cpu_seconds: null };
    const short = attempt(1, { ended_at: '2026-11-21T08:00:20Z' });
    expect(adviceFor({ ...done, usage: unknown }, [short])).toBeNull();
  });

  it('never asks for less than half a GiB', () => {
    const usage = { peak_memory: 1000, cpu_seconds: null };
    const advice = adviceFor({ ...done, usage }, []);
    expect(advice?.resources.memory).toBe(GIB / 2);
  });
});

describe('the timeline', () => {
  const told = { attempts: [evicted, resumed], amendments: [] };
  const details = told as unknown as JobDetails;

  it('says how long it waited, ran, what was lost, and that it resumed', () => {
    const found = steps(done, details);
    expect(found[2].why).toBe('It gave its place to another job.');
    expect(found.map(one => [one.word, one.after])).toEqual([
      ['queued', ''],
      ['started', 'waited 10 min'],
      ['evicted', 'ran 30 min, 12 min of it lost'],
      ['resumed (start 2)', 'waited 10 min'],
      ['succeeded', 'ran 1 h']
    ]);
  });

  it('of a sweep goes from its first point to its last one', () => {
    const sweep = { points: 3 } as unknown as JobRecord['sweep'];
    const none = { attempts: [], amendments: [] } as unknown as JobDetails;
    const swept = { ...done, sweep };
    expect(steps(swept, none).map(one => [one.word, one.after])).toEqual([
      ['queued', ''],
      ['first point started', 'waited 50 min'],
      ['succeeded', 'ran 1 h']
    ]);
    expect(spans(swept, none).map(one => one.kind)).toEqual(['waits', 'runs']);
  });

  it('has no gap from the submit to the end', () => {
    const found = spans(done, details);
    expect(found.map(one => one.kind)).toEqual([
      'waits',
      'runs',
      'waits',
      'runs'
    ]);
    found
      .slice(1)
      .forEach((one, index) => expect(one.from).toBe(found[index].to));
    const waits = job({ submitted_at: '2026-11-21T08:00:00Z' });
    const none = { attempts: [] } as unknown as JobDetails;
    expect(spans(waits, none)).toEqual([
      { kind: 'waits', from: waits.submitted_at, to: null }
    ]);
  });
});
