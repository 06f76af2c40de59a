/**
 * How far a task of an environment is, in words. Pure.
 */
import type { Task, TaskEvent } from '../api/types';
import { showBytes } from './quantities';

const PHASES: Record<TaskEvent['phase'], string> = {
  starting: 'Starting',
  solving: 'Finding versions that fit together',
  downloading: 'Downloading',
  checking: 'Checking',
  linking: 'Installing',
  compiling: 'Compiling',
  packing: 'Packing',
  copying: 'Copying',
  removing: 'Removing',
  finishing: 'Finishing'
};

/** What a task does now: `Installing`. */
export function phaseText(task: Task): string {
  return task.event ? PHASES[task.event.phase] : PHASES.starting;
}

/** How far it is, with units: `12 of 60 packages`, `3.1 / 9.8 MiB`; empty when not known. */
export function amountText(event: TaskEvent | null): string {
  if (!event?.total) {
    return '';
  }
  const { done, total, unit } = event;
  if (unit === 'bytes') {
    return `${showBytes(done)} of ${showBytes(total)}`;
  }
  const number = (value: number) => value.toLocaleString('en');
  return `${number(done)} of ${number(total)} ${unit}`.trim();
}

/** What part of the phase is done, 0 to 1; `null` when not known. */
export function taskShare(event: TaskEvent | null): number | null {
  return event?.total ? Math.min(1, event.done / event.total) : null;
}
