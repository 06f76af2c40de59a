import { gaps, linePath } from '../sparkline';

it('breaks the line where nothing is known, instead of drawing zero', () => {
  expect(linePath([0, 50, null, 100], 0)).toBe('M0 19.0L1 10.0M3 1.0');
});

it('draws nothing outside of its height', () => {
  expect(linePath([-5, 250], 10)).toBe('M10 19.0L11 1.0');
});

it('finds the runs that are to be hatched', () => {
  expect(gaps([null, null, 1, null])).toEqual([
    [0, 1],
    [3, 3]
  ]);
  expect(gaps([1, 2])).toEqual([]);
});
