import { Signal } from '@lumino/signaling';

import type { Client } from '../../api/client';
import type { LiveSocket } from '../../api/live';
import type {
  Change,
  Environment,
  EnvironmentList,
  Frames,
  PackedImage,
  Task
} from '../../api/types';
import { EnvironmentsModel } from '../model';

export function environment(changes: Partial<Environment> = {}): Environment {
  return {
    name: 'ml',
    kind: 'found',
    source: 'venv',
    language: 'python',
    python: '3.11.7',
    prefix: '/srv/ml',
    kernels: ['python3'],
    packages: 12,
    telling: [{ name: 'numpy', version: '2.3', source: 'pypi', build: null }],
    size: 2 ** 30,
    files: 18123,
    measured_at: null,
    problem: null,
    digest: null,
    inventoried: null,
    packed: false,
    images: [],
    cuda: null,
    made_by: null,
    made_at: null,
    origin: null,
    states: 0,
    kernel: null,
    used_by_kernels: 0,
    used_by_jobs: 0,
    last_used: null,
    ...changes
  };
}

export function own(changes: Partial<Environment> = {}): Environment {
  return environment({
    name: 'mine',
    kind: 'own',
    source: 'conda',
    digest: `sha256:${'ab'.repeat(32)}`,
    inventoried: null,
    kernels: [],
    ...changes
  });
}

/** One whole squashfs file. */
export function image(changes: Partial<PackedImage> = {}): PackedImage {
  return {
    path: '/images/a.sqfs',
    format: 'squashfs',
    digest: `sha256:${'ef'.repeat(32)}`,
    size: 3 * 2 ** 30,
    compressor: 'zstd',
    lock: `sha256:${'cd'.repeat(32)}`,
    made_at: '2026-11-21T08:00:00Z',
    base: null,
    ...changes
  };
}

export function change(changes: Partial<Change> = {}): Change {
  return {
    added: [],
    removed: [],
    changed: [],
    download: null,
    size: null,
    files: null,
    digest: null,
    note: null,
    ...changes
  };
}

export function task(changes: Partial<Task> = {}): Task {
  return {
    id: '0000000000000001',
    action: 'change',
    name: 'mine',
    preview: false,
    state: 'running',
    started_at: '2026-11-21T08:00:00Z',
    event: null,
    result: null,
    ...changes
  };
}

/** The task as it ended. */
export function ended(
  before: Task,
  state: 'succeeded' | 'failed' | 'cancelled' | 'interrupted',
  text: string,
  changed: Change | null = null
): Task {
  return {
    ...before,
    state,
    result: {
      state,
      ended_at: '2026-11-21T08:00:05Z',
      text,
      change: changed,
      image: null,
      exit_code: 0,
      code: null,
      problems: [],
      freed: null,
      path: null
    }
  };
}

export function listOf(environments: Environment[]): EnvironmentList {
  return { environments, measuring: false, container_root: false };
}

/** A model whose server is this test. */
export function server(answers: Partial<Client> = {}) {
  let listener: ((frame: Frames['tasks']) => void) | null = null;
  let sequence = 0;
  const live = {
    status: 'live',
    pausedReason: '',
    trouble: () => '',
    subscribe: (_: string, listen: typeof listener) => {
      listener = listen;
      return { dispose: () => (listener = null), isDisposed: false };
    }
  };
  Object.assign(live, { statusChanged: new Signal(live) });
  const environments: Environment[] = [own(), environment()];
  const client = {
    environments: async () => listOf(environments),
    tasks: async () => ({ tasks: [] }),
    ...answers
  };
  const model = new EnvironmentsModel(
    client as unknown as Client,
    live as unknown as LiveSocket
  );
  return {
    model,
    environments,
    listens: () => listener !== null,
    full: (...tasks: Task[]) =>
      listener?.({
        type: 'full',
        topic: 'tasks',
        seq: (sequence += 1),
        data: {
          environments: listOf([...environments]),
          tasks: { tasks }
        }
      }),
    changed: (tasks: Task[], gone: string[] = [], withList = false) =>
      listener?.({
        type: 'delta',
        topic: 'tasks',
        seq: (sequence += 1),
        data: {
          environments: withList ? listOf([...environments]) : null,
          changed: tasks,
          gone
        }
      })
  };
}
