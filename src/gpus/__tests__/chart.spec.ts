import type { GpuHistory } from '../../api/types';
import { series, summary } from '../chart';

function history(changes: Partial<GpuHistory> = {}): GpuHistory {
  return {
    uuid: 'GPU-1',
    interval: 1,
    times: [100, 101, 160],
    percent: [10, null, 50],
    memory_used: [null, null, null],
    power: [null, null, null],
    temperature: [40, 41, 42],
    ...changes
  };
}

it('breaks the lines where nobody looked', () => {
  expect(series(history())).toEqual([
    [100, 101, 102, 160],
    [10, null, null, 50],
    [40, 41, null, 42]
  ]);
});

it('says in a sentence what is drawn, and that it is not known', () => {
  expect(summary(history())).toBe('Busy 10 to 50 %, 30 % on average.');
  expect(summary(history({ percent: [null, null, null] }))).toContain(
    'not known'
  );
});
