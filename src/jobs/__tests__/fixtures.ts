import type { BackendChoice, JobRecord, SubmitForm } from '../../api/types';

/** What a job may use; fields that a test is not about. */
export const SMALL = {
  cpus: 1,
  memory: 2 ** 30,
  gpus: 0,
  gpu_memory: null,
  gpu_model: null,
  time: 3600
};

export function job(changes: Partial<JobRecord> = {}): JobRecord {
  return {
    id: 'aaaaaaaaaa',
    name: 'train.ipynb',
    kind: 'notebook',
    state: 'queued',
    reason: null,
    unknown_since: null,
    cancelling: false,
    backend: 'local',
    backend_id: null,
    queue: null,
    parameters: {},
    environment: { name: 'python3', digest: null },
    resources: { ...SMALL, cpus: 1, memory: 2 * 2 ** 30, time: 3600 },
    source: 'train.ipynb',
    output: null,
    output_folder: 'results/train',
    attempts: 0,
    try_first: false,
    evictable: false,
    rerun_of: null,
    after: [],
    after_ok: [],
    retries: 0,
    retry_on: [],
    offload: false,
    charge: null,
    checkpoint_at: null,
    evictions: 0,
    sweep: null,
    progress: null,
    submitted_at: '2026-11-21T08:00:00Z',
    started_at: null,
    ended_at: null,
    usage: { peak_memory: null, cpu_seconds: null },
    ...changes
  } as JobRecord;
}

export function place(changes: Partial<BackendChoice> = {}): BackendChoice {
  return {
    name: 'local',
    title: 'This machine',
    missing: '',
    queues: [],
    limits: { ...SMALL, cpus: 8, memory: 16 * 2 ** 30, time: 86400 },
    shares_folder: true,
    gpu_shapes: [],
    offloads: false,
    ...changes
  } as BackendChoice;
}

export function form(changes: Partial<SubmitForm> = {}): SubmitForm {
  return {
    source: 'train.ipynb',
    defaults: {
      source: 'train.ipynb',
      name: null,
      parameters: {},
      raw_parameters: {},
      environment: 'python3',
      resources: { ...SMALL, cpus: 2, memory: 4 * 2 ** 30, time: 5400 },
      backend: 'local',
      queue: null,
      charge: null,
      create_parameters_cell: false,
      try_first: false,
      cell: null,
      inputs: [],
      outputs: [],
      evictable: false,
      seed: null,
      after: [],
      after_ok: [],
      retries: 0,
      retry_on: [],
      notify: [],
      secrets: [],
      offload: false,
      sweep: null
    },
    remembered: false,
    parameters: [
      { name: 'lr', kind: 'float', default: 0.1, source: '0.1', help: null },
      { name: 'on', kind: 'bool', default: true, source: 'True', help: null },
      {
        name: 'seeds',
        kind: 'expression',
        default: null,
        source: 'range(3)',
        help: null
      }
    ],
    has_parameters_cell: true,
    backends: [place()],
    kernels: [
      {
        name: 'python3',
        display_name: 'Python 3',
        language: 'python',
        problem: null
      }
    ],
    limits: { ...SMALL, cpus: 8, memory: 16 * 2 ** 30, time: 86400 },
    last_used: null,
    secrets: [],
    saved_at: null,
    ...changes
  } as SubmitForm;
}
