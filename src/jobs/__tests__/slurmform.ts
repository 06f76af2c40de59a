/** A form that offers this machine and a Slurm with two queues. */
import type { Outlook, Queue, SubmitForm } from '../../api/types';
import { form, place, SMALL } from './fixtures';

export const GIB = 2 ** 30;

export function queue(changes: Partial<Queue> = {}): Queue {
  return {
    name: 'normal',
    default: false,
    time_limit: null,
    cpus: 64,
    memory: 256 * GIB,
    gpus: 0,
    gpu_models: [],
    gpu_shapes: [],
    free: null,
    text: '',
    ...changes
  };
}

export const SLURM = place({
  name: 'slurm',
  title: 'Slurm',
  limits: { ...SMALL, cpus: 32, memory: 128 * GIB, gpus: 4, time: 7 * 86400 },
  queues: [
    queue({ default: true }),
    queue({
      name: 'gpu',
      cpus: 16,
      gpus: 2,
      gpu_models: ['a100', 't4'],
      time_limit: 3600,
      text: 'For training.',
      free: { cpus: 12, memory: 48 * GIB, gpus: 1 }
    })
  ]
});

export const two = (defaults: Partial<SubmitForm['defaults']> = {}) =>
  form({
    backends: [place(), SLURM],
    defaults: { ...form().defaults, ...defaults }
  });

export const onSlurm = { backend: 'slurm', queue: 'gpu', charge: 'cms' };

/** What one place says to a draft. */
export function outlook(changes: Partial<Outlook> = {}): Outlook {
  return {
    backend: 'local',
    title: 'This machine',
    ok: true,
    text: 'Would wait.',
    starts_now: false,
    expected_start: null,
    position: null,
    silent: false,
    allowed: true,
    problems: [],
    ...changes
  };
}
