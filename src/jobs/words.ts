/**
 * How a job is spoken of: state, progress, reason. Pure; no React, no server.
 */
import type { JobRecord, JobState, Resources, Values } from '../api/types';
import {
  showBytes,
  showClock,
  showDuration,
  showTime
} from '../components/quantities';

/** States in the order of the filter. */
export const STATES: readonly JobState[] = [
  'running',
  'starting',
  'queued',
  'evicted',
  'succeeded',
  'failed',
  'cancelled'
];

export function hasEnded(job: JobRecord): boolean {
  return ['succeeded', 'failed', 'cancelled'].includes(job.state);
}

export function isActive(job: JobRecord): boolean {
  return job.state === 'running' || job.state === 'starting';
}

/** Scripts and commands have a log only. */
export function hasNotebook(job: JobRecord): boolean {
  return job.kind === 'notebook' || job.kind === 'cell';
}

/** The word beside the shape. */
export function stateWord(job: JobRecord): string {
  if (job.cancelling && !hasEnded(job)) {
    return 'cancelling';
  }
  if (job.state === 'evicted') {
    return `evicted ${job.attempts > 1 ? `${job.attempts}×` : ''}`.trim();
  }
  if (job.unknown_since) {
    const since = showTime(job.unknown_since);
    return `${job.state}, unknown since ${since} (${job.backend} silent)`;
  }
  return job.state;
}

/** `lr=0.1 · epochs=3`, short enough for one line. */
export function parameterText(parameters: Values): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${literal(value)}`)
    .join(' · ');
}

function literal(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}

/** Seconds this attempt has run, or ran. */
export function elapsed(job: JobRecord, now = Date.now()): number | null {
  if (!job.started_at) {
    return null;
  }
  const end = job.ended_at ? new Date(job.ended_at).getTime() : now;
  return (end - new Date(job.started_at).getTime()) / 1000;
}

/** `cell 7/12 · 00:42` while it runs, `3 min 12 s` afterwards. */
export function progressText(job: JobRecord, now = Date.now()): string {
  const parts: string[] = [];
  const progress = job.progress;
  if (isActive(job) && progress && progress.cells_total > 0) {
    const cell = progress.current_cell ?? progress.cells_done;
    parts.push(
      `cell ${Math.min(cell, progress.cells_total)}/${progress.cells_total}`
    );
  }
  const seconds = elapsed(job, now);
  if (seconds !== null && isActive(job)) {
    parts.push(showClock(seconds));
  } else if (seconds !== null) {
    parts.push(showDuration(seconds));
  }
  return parts.join(' · ');
}

/** Newest recorded values: `epoch 3 · loss 0.214`. */
export function valuesText(values: Values): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${number(value)}`)
    .join(' · ');
}

function number(value: unknown): string {
  if (typeof value === 'number' && !Number.isInteger(value)) {
    return String(Number(value.toPrecision(4)));
  }
  return literal(value);
}

/** Share of the cells done, 0 to 1; `null` where it is not known. */
export function share(job: JobRecord): number | null {
  const progress = job.progress;
  if (!progress || progress.cells_total === 0) {
    return null;
  }
  return Math.min(1, progress.cells_done / progress.cells_total);
}

/** `2 GPUs (A100, 40.0 GiB)`: how many, and what each has to be. */
export function gpuText(resources: Resources): string {
  const { gpus, gpu_model: model, gpu_memory: memory } = resources;
  const of = [model, memory ? showBytes(memory) : null].filter(Boolean);
  const count = gpus === 1 ? '1 GPU' : `${gpus} GPUs`;
  return of.length ? `${count} (${of.join(', ')})` : count;
}

/** What was asked, as words: `2 CPUs · 4.0 GiB · 1 GPU · up to 1 h`. */
export function resourcesText(resources: Resources): string {
  const parts = [
    resources.cpus === 1 ? '1 CPU' : `${resources.cpus} CPUs`,
    showBytes(resources.memory)
  ];
  if (resources.gpus) {
    parts.push(gpuText(resources));
  }
  parts.push(`up to ${showDuration(resources.time)}`);
  return parts.join(' · ');
}

/** Whether its batch system holds it until somebody lets it go. */
export function isHeld(job: JobRecord): boolean {
  return !hasEnded(job) && job.reason?.code === 'held';
}

/** The one thing that would help after a failure, or while it is held, as a button. */
export interface IRemedy {
  label: string;
  action: 'rerun' | 'points' | 'edit' | 'kernel' | 'cleanup' | 'release';
  resources?: Resources;
}

/** The button that fits the reason; `null` when there is nothing to mend. */
export function remedy(job: JobRecord): IRemedy | null {
  if (isHeld(job)) {
    return { label: 'Release…', action: 'release' };
  }
  if (job.state !== 'failed') {
    return null;
  }
  switch (job.reason?.code) {
    case 'out-of-memory': {
      const memory = moreMemory(job.resources.memory);
      return {
        label: `Rerun with ${showBytes(memory)}`,
        action: 'rerun',
        resources: { ...job.resources, memory }
      };
    }
    case 'time-limit': {
      const time = job.resources.time * 2;
      return {
        label: `Rerun with ${showDuration(time)}`,
        action: 'rerun',
        resources: { ...job.resources, time }
      };
    }
    case 'points-failed':
      return { label: 'Rerun what failed', action: 'points' };
    case 'notebook-error':
      return { label: 'Open a kernel here', action: 'kernel' };
    case 'environment-mismatch':
      return { label: 'Rerun with it as it is now', action: 'rerun' };
    case 'environment-missing':
    case 'asks-too-much':
      return { label: 'Edit and rerun…', action: 'edit' };
    case 'disk-full':
      return { label: 'Clean up…', action: 'cleanup' };
    default:
      return { label: 'Rerun', action: 'rerun' };
  }
}

/** Half as much again, in whole GiB from 1 GiB on. */
export function moreMemory(memory: number): number {
  const gibi = 1024 ** 3;
  const more = memory * 1.5;
  return more >= gibi ? Math.ceil(more / gibi) * gibi : Math.ceil(more);
}

/** What a screen reader hears when a job changes its state. */
export function announcement(before: JobRecord, after: JobRecord): string {
  if (before.state === after.state) {
    return '';
  }
  const reason =
    after.state === 'failed' && after.reason ? `: ${after.reason.text}` : '';
  return `${after.name} ${stateWord(after)}${reason}`;
}
