import type { Reason } from '../../api/types';
import {
  announcement,
  gpuText,
  parameterText,
  progressText,
  remedy,
  resourcesText,
  share,
  stateWord,
  valuesText
} from '../words';
import { job, SMALL } from './fixtures';

const GIB = 2 ** 30;
const NOW = Date.parse('2026-11-21T09:00:00Z');

function failed(code: Reason['code'], memory = 8 * GIB) {
  return job({
    state: 'failed',
    reason: { code, text: 'Why.' },
    resources: { ...SMALL, memory }
  });
}

describe('stateWord', () => {
  it('says since when a silent back-end is unknown, and keeps the state', () => {
    const word = stateWord(
      job({ state: 'running', unknown_since: '2026-11-21T08:00:00Z' })
    );
    expect(word).toMatch(/^running, unknown since .*\(local silent\)$/);
  });

  it('says that it is being cancelled until it has ended', () => {
    expect(stateWord(job({ state: 'running', cancelling: true }))).toBe(
      'cancelling'
    );
    expect(stateWord(job({ state: 'succeeded', cancelling: true }))).toBe(
      'succeeded'
    );
  });
});

describe('progress', () => {
  const running = job({
    state: 'running',
    started_at: '2026-11-21T08:59:18Z',
    progress: {
      cells_done: 6,
      cells_total: 12,
      current_cell: 7,
      last_line: null,
      values: { epoch: 3, loss: 0.123456 },
      using: null,
      at: null
    }
  });

  it('counts cells and time', () => {
    expect(progressText(running, NOW)).toBe('cell 7/12 · 00:42');
    expect(share(running)).toBe(0.5);
  });

  it('shows recorded values with four figures', () => {
    expect(valuesText(running.progress!.values)).toBe('epoch 3 · loss 0.1235');
  });

  it('shows how long an ended job ran', () => {
    const ended = { ...running, state: 'succeeded' as const };
    const at = '2026-11-21T09:02:30Z';
    expect(progressText({ ...ended, ended_at: at })).toBe('3 min 12 s');
  });

  it('knows no share where there are no cells', () => {
    expect(share(job())).toBeNull();
  });
});

describe('remedy', () => {
  it('offers half as much memory again', () => {
    expect(remedy(failed('out-of-memory'))).toEqual({
      label: 'Rerun with 12.0 GiB',
      action: 'rerun',
      resources: { ...SMALL, memory: 12 * GIB }
    });
    expect(remedy(failed('out-of-memory', 2 ** 20))?.resources?.memory).toBe(
      1.5 * 2 ** 20
    );
  });

  it('offers twice the time', () => {
    expect(remedy(failed('time-limit'))?.label).toBe('Rerun with 2 h');
  });

  it.each([
    ['notebook-error', 'kernel'],
    ['environment-mismatch', 'rerun'],
    ['environment-missing', 'edit'],
    ['disk-full', 'cleanup'],
    ['lost', 'rerun']
  ] as const)('fits the reason %s', (code, action) => {
    expect(remedy(failed(code))?.action).toBe(action);
  });

  it('has nothing to mend in a job that did not fail', () => {
    expect(remedy(job({ state: 'cancelled' }))).toBeNull();
  });
});

it('announces a change of state once, with the reason of a failure', () => {
  const before = job({ state: 'running' });
  const after = failed('kernel-died');
  expect(announcement(before, after)).toBe('train.ipynb failed: Why.');
  expect(announcement(after, after)).toBe('');
});

it('shortens long parameters', () => {
  const text = parameterText({ lr: 0.1, path: 'x'.repeat(100) });
  expect(text).toMatch(/^lr=0.1 · path=x{23}…$/);
});

it('says what each GPU has to be', () => {
  const asked = { cpus: 1, memory: 2 ** 31, gpus: 2, time: 3600 };
  const any = { ...asked, gpu_memory: null, gpu_model: null };
  expect(gpuText(any)).toBe('2 GPUs');
  const one = { ...any, gpus: 1, gpu_memory: 10 * 2 ** 30, gpu_model: 'A100' };
  expect(gpuText(one)).toBe('1 GPU (A100, 10.0 GiB)');
  expect(resourcesText(one)).toBe(
    '1 CPU · 2.0 GiB · 1 GPU (A100, 10.0 GiB) · up to 1 h'
  );
});
