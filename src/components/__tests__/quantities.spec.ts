import {
  parseBytes,
  parseDuration,
  showAge,
  showBytes,
  showClock,
  showDuration,
  showShare
} from '../quantities';

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [8 * 2 ** 30, '8.0 GiB'],
  [2 ** 50, '1.0 PiB']
])('%d bytes', (amount, text) => {
  expect(showBytes(amount)).toBe(text);
});

it('shows used and total in one unit', () => {
  expect(showShare(512 * 2 ** 20, 10 * 2 ** 30)).toBe('0.5 / 10.0 GiB');
});

// the same table as in tests/test_durations.py
it.each([
  [0, '0 s'],
  [0.04, 'less than 0.1 s'],
  [0.5, '0.5 s'],
  [0.999, '0.9 s'],
  [1, '1 s'],
  [2.3, '2.3 s'],
  [2.9999999, '3 s'],
  [3.04, '3 s'],
  [9.97, '9.9 s'],
  [10.9, '10 s'],
  [42, '42 s'],
  [59.9, '59 s'],
  [60, '1 min'],
  [61, '1 min 1 s'],
  [5400, '1 h 30 min'],
  [47 * 3600, '47 h'],
  [76 * 3600, '3 d 4 h']
])('%p seconds', (seconds, text) => {
  expect(showDuration(seconds)).toBe(text);
});

it.each([
  [42, '00:42'],
  [3723, '1:02:03']
])('a clock of %d seconds', (seconds, text) => {
  expect(showClock(seconds)).toBe(text);
});

it('says how long ago', () => {
  const now = Date.parse('2026-11-21T09:00:00Z');
  expect(showAge('2026-11-21T08:59:55Z', now)).toBe('just now');
  expect(showAge('2026-11-21T08:00:00Z', now)).toBe('1 h ago');
});

it.each([
  ['8GiB', 8 * 2 ** 30],
  ['8', 8 * 2 ** 30],
  ['1.5 g', 1.5 * 2 ** 30],
  ['512 MiB', 2 ** 29],
  ['2 TB', 2 * 2 ** 40],
  ['', null],
  ['0', null],
  ['eight', null],
  ['-1', null]
])('memory typed as %p', (text, amount) => {
  expect(parseBytes(text)).toBe(amount);
});

it.each([
  ['8h', 28800],
  ['1 h 30 min', 5400],
  ['90min', 5400],
  ['01:30:00', 5400],
  ['2-12:00', 216000],
  ['1 min 5 s', 65],
  ['', null],
  ['5', null],
  ['0 s', null],
  ['soon', null]
])('time typed as %p', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});
