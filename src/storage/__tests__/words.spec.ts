import {
  audienceText,
  batchText,
  copiesText,
  countText,
  factsOf,
  fullness,
  outsideText,
  pathText,
  useText,
  wayTo
} from '../words';
import { area, bucket, state } from './fixtures';

const NOW = new Date('2026-11-22T10:04:00Z');

describe('facts of an area', () => {
  it('are three, and one more where one cannot write', () => {
    expect(factsOf(area())).toEqual([
      'survives the container',
      'seen by your group users/ours',
      'seen by batch nodes (slurm)'
    ]);
    expect(factsOf(area({ survives: false, writable: false }))).toEqual(
      expect.arrayContaining(['lost with the container', 'read-only'])
    );
  });

  it('say what nobody said', () => {
    expect(batchText(area({ batch: null }))).toContain('not known');
    expect(batchText(area({ batch: [] }))).toContain('not seen');
    expect(audienceText(area({ audience: 'you' }))).toContain('you alone');
    expect(audienceText(area({ audience: 'everyone' }))).toContain('everyone');
  });
});

describe('how full', () => {
  it('is told with what it is measured against', () => {
    expect(useText(state())).toBe('3.0 / 20.0 GiB of the quota');
    expect(fullness(state().use)).toBeCloseTo(0.15);
  });

  it('is never zero where it is not known', () => {
    expect(useText(state({ use: null }))).toBe('');
    expect(useText(state({ use: null, counting: true }))).toContain('counted');
    expect(useText(state({ state: 'silent', use: null }))).toBe('');
    expect(fullness(null)).toBeNull();
  });

  it('says nearly full before it is too late', () => {
    const use = { ...state().use!, used: 19 * 2 ** 30 };
    expect(useText(state({ use }))).toContain('nearly full');
  });

  it('of a count has an age', () => {
    const use = { ...state().use!, files: 12 };
    expect(countText(state({ use }), NOW.getTime())).toBe(
      '12 files, counted 4 min ago'
    );
    expect(countText(state(), NOW.getTime())).toBe('');
  });
});

describe('a bucket', () => {
  it('is reached from batch nodes by S3 alone', () => {
    expect(factsOf(bucket().area)).toEqual([
      'survives the container',
      'seen by you alone',
      'reached from batch nodes by S3 alone (slurm)'
    ]);
  });

  it('is as full as was counted, and says where counting ended', () => {
    expect(useText(bucket())).toBe('5.0 GiB');
    expect(countText(bucket(), NOW.getTime())).toMatch(/^12 objects, counted/);
    const use = { ...bucket().use!, files: 10_000, at_least: true };
    expect(useText(bucket({ use }))).toBe('at least 5.0 GiB');
    expect(countText(bucket({ use }), NOW.getTime())).toMatch(
      /^the first 10.?000 objects, counted/
    );
    const limited = { ...use, total: 20 * 2 ** 30, of: 'quota' as const };
    expect(useText(bucket({ use: limited }))).toBe(
      'at least 5.0 GiB, of 20.0 GiB of the quota'
    );
    expect(
      useText(bucket({ use: { ...use, used: 0, files: 0, at_least: false } }))
    ).toBe('empty');
  });
});

describe('backups', () => {
  it('are counted, or said to be none yet', () => {
    expect(copiesText(state(), NOW)).toBe('no copy yet');
    expect(copiesText(state({}, { snapshots: null }), NOW)).toBe('');
    const newest = '2026-11-22T09:00:00Z';
    expect(copiesText(state({ copies: 1, newest }), NOW)).toMatch(/^1 copy,/);
  });
});

describe('paths', () => {
  it('show also what is no text', () => {
    expect(pathText('a%20b/bad%FF%0Aname')).toBe('a b/bad\ufffdname');
    expect(wayTo('a%20b/c')).toEqual([
      { name: 'a b', path: 'a%20b' },
      { name: 'c', path: 'a%20b/c' }
    ]);
    expect(wayTo('')).toEqual([]);
  });

  it('outside of the file browser say so', () => {
    expect(outsideText(state())).toBeNull();
    expect(outsideText(state({ place: '' }))).toBeNull();
    expect(outsideText(state({ place: null }))).toContain('Outside');
    const named = { kind: 'bucket' as const, path: '', bucket: 's3://ours' };
    expect(outsideText(state({ place: null }, named))).toContain('bucket');
  });
});
