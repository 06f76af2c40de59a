import type { Accelerator, GpuSnapshot, Holder } from '../../api/types';

export const NOW = Date.parse('2026-11-21T09:00:00Z');

export function accelerator(changes: Partial<Accelerator> = {}): Accelerator {
  return {
    uuid: 'GPU-1',
    index: 0,
    name: 'Tesla T4',
    parent: null,
    mig: null,
    cut: false,
    state: 'ok',
    problem: null,
    memory: { total: 16 * 2 ** 30, used: 2 ** 30 },
    signal: {
      state: 'busy',
      measurement: 'utilisation',
      percent: 80,
      since: null
    },
    power: 60,
    power_limit: 70,
    energy: 1000,
    temperature: 50,
    holders: [],
    taken_at: '2026-11-21T08:59:59.000Z',
    ...changes
  };
}

export function holder(changes: Partial<Holder> = {}): Holder {
  return {
    kind: 'kernel',
    title: 'old.ipynb',
    pid: 7,
    memory: 2 ** 20,
    kernel_id: 'k1',
    job_id: null,
    user: 'anna',
    mine: true,
    ...changes
  };
}

export function snapshot(...accelerators: Accelerator[]): GpuSnapshot {
  return {
    accelerators,
    facts: { driver: null, nvml: null, cuda: null },
    taken_at: '2026-11-21T08:59:59.000Z',
    missing: null,
    simulated: false
  };
}
