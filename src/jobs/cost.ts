/**
 * What a job has cost, and what to ask for next time. Pure.
 */
import type { Attempt, JobRecord, Point, Resources } from '../api/types';
import { showBytes, showDuration } from '../components/quantities';
import { pointSeconds } from './sweepwords';

/** What a cost counts, beside which the CPU time that was used can be more or less. */
export const HELD =
  'Counted is what was asked, used or not, from the start of the code to its end.';

const GIB = 1024 ** 3;
const QUARTER = GIB / 4;

/** Seconds all starts of a job have held their place, until now for one that runs. */
export function heldSeconds(
  attempts: readonly Attempt[],
  now = Date.now()
): number {
  return attempts.reduce((sum, one) => {
    if (!one.started_at) {
      return sum;
    }
    const end = one.ended_at ? Date.parse(one.ended_at) : now;
    return sum + Math.max(0, end - Date.parse(one.started_at)) / 1000;
  }, 0);
}

/** What was held, whether it was used or not: that is what others could not have. */
export interface ICost {
  cpuHours: number;
  gpuHours: number;
  starts: number;
  /** Seconds of work that evictions took. */
  lost: number;
}

export function costOf(
  job: JobRecord,
  attempts: readonly Attempt[],
  now = Date.now()
): ICost {
  const hours = heldSeconds(attempts, now) / 3600;
  return {
    cpuHours: hours * job.resources.cpus,
    gpuHours: hours * job.resources.gpus,
    starts: attempts.filter(one => one.started_at).length,
    lost: attempts.reduce((sum, one) => sum + (one.lost_seconds ?? 0), 0)
  };
}

/** What the points of a sweep held, as far as they are known here. */
export function costOfPoints(
  job: JobRecord,
  points: readonly Point[],
  now = Date.now()
): ICost {
  const started = points.filter(point => point.started_at);
  const seconds = started.reduce(
    (sum, point) => sum + (pointSeconds(point, now) ?? 0),
    0
  );
  return {
    cpuHours: (seconds / 3600) * job.resources.cpus,
    gpuHours: (seconds / 3600) * job.resources.gpus,
    starts: started.length,
    lost: 0
  };
}

/** `3.2 CPU-hours · 1.6 GPU-hours in 2 starts, 12 min of them lost by evictions`. */
export function costText(cost: ICost): string {
  const parts = [`${hoursText(cost.cpuHours)} CPU-hours`];
  if (cost.gpuHours > 0) {
    parts.push(`${hoursText(cost.gpuHours)} GPU-hours`);
  }
  const starts = cost.starts > 1 ? ` in ${cost.starts} starts` : '';
  const lost = cost.lost
    ? `; ${showDuration(cost.lost)} of work lost by evictions`
    : '';
  return parts.join(' · ') + starts + lost;
}

function hoursText(hours: number): string {
  return hours === 0 || hours >= 0.095
    ? hours.toFixed(1)
    : hours < 0.0005
      ? 'less than 0.001'
      : hours.toPrecision(2);
}

/** Less to ask for next time, and why. */
export interface IAdvice {
  /** `Asked 32.0 GiB, used 3.1 GiB: ask 4.0 GiB next time.` */
  sentences: string[];
  resources: Resources;
}

/**
 * What a job that succeeded should ask for the next time; `null` when that is what it asked.
 * A third is added to what it used: a job that asks for too little is lost, one that asks for
 * a little too much only waits a little longer.
 */
export function adviceFor(
  job: JobRecord,
  attempts: readonly Attempt[]
): IAdvice | null {
  if (job.state !== 'succeeded') {
    return null;
  }
  const { resources, usage } = job;
  // of a sweep only the memory is known for one point
  const last = job.sweep ? undefined : attempts[attempts.length - 1];
  const ran = last ? heldSeconds([last]) : 0;
  const sentences: string[] = [];
  const wanted = { ...resources };
  const say = (asked: string, used: string, ask: string) =>
    sentences.push(`Asked ${asked}, used ${used}: ask ${ask} next time.`);

  const memory = usage.peak_memory ? roomFor(usage.peak_memory) : null;
  if (memory !== null && memory <= resources.memory * 0.75) {
    wanted.memory = memory;
    say(
      showBytes(resources.memory),
      showBytes(usage.peak_memory ?? 0),
      showBytes(memory)
    );
  }
  const busy = ran >= 60 && usage.cpu_seconds ? usage.cpu_seconds / ran : null;
  const cpus = busy === null ? null : Math.max(1, Math.ceil(busy * 1.1));
  if (busy !== null && cpus !== null && cpus < resources.cpus) {
    wanted.cpus = cpus;
    say(
      cpusText(resources.cpus),
      `${busy.toFixed(1)} on average`,
      cpusText(cpus)
    );
  }
  const time = ran >= 60 ? timeFor(ran) : null;
  if (time !== null && time <= resources.time * 0.5) {
    wanted.time = time;
    say(showDuration(resources.time), showDuration(ran), showDuration(time));
  }
  return sentences.length ? { sentences, resources: wanted } : null;
}

function cpusText(cpus: number): string {
  return cpus === 1 ? '1 CPU' : `${cpus} CPUs`;
}

/** A third more, in quarters of a GiB below 2 GiB, else in whole GiB; at least 512 MiB. */
function roomFor(used: number): number {
  const room = (used * 4) / 3;
  const step = room <= 2 * GIB ? QUARTER : GIB;
  return Math.max(2 * QUARTER, Math.ceil(room / step) * step);
}

/** Half as long again, in steps that people write; at least five minutes. */
function timeFor(seconds: number): number {
  const room = seconds * 1.5;
  const step = room <= 3600 ? 300 : 1800;
  return Math.max(300, Math.ceil(room / step) * step);
}
