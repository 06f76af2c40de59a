import type { JobRecord } from '../../api/types';
import {
  filterText,
  isFiltered,
  matches,
  NO_FILTER,
  readFilter
} from '../filter';
import { entriesOf, jobsBetween, mergeJobs, unfinishedAfter } from '../listing';
import { Selection } from '../selection';
import { job } from './fixtures';

const older = job({ id: 'older00000', submitted_at: '2026-11-21T07:00:00Z' });
const newer = job({ id: 'newer00000', submitted_at: '2026-11-21T09:00:00Z' });
const runs = job({
  id: 'running000',
  state: 'running',
  submitted_at: '2026-11-21T06:00:00Z'
});
const ids = (jobs: readonly JobRecord[]) => jobs.map(one => one.id);
const all = () => true;
const NONE = new Set<string>();
const QUEUED = new Set(['queued']);

describe('mergeJobs', () => {
  it('puts new jobs in front and changes others in place', () => {
    const middle = job();
    const changed = { ...middle, cancelling: true };
    const merged = mergeJobs([middle, older], [changed, newer], [], all, NONE);
    expect(ids(merged)).toEqual(['newer00000', 'aaaaaaaaaa', 'older00000']);
    expect(merged[1].cancelling).toBe(true);
  });

  it('moves a job to the group of its state, whatever its age', () => {
    const merged = mergeJobs([newer, job()], [runs], [], all, NONE);
    expect(ids(merged)).toEqual(['running000', 'newer00000', 'aaaaaaaaaa']);
    const ended = { ...newer, state: 'succeeded' as const };
    expect(ids(mergeJobs(merged, [ended], [], all, NONE))).toEqual([
      'running000',
      'aaaaaaaaaa',
      'newer00000'
    ]);
  });

  it('takes out what was deleted and what no longer belongs', () => {
    const merged = mergeJobs(
      [newer, job(), older],
      [{ ...older, state: 'failed' }],
      ['newer00000'],
      one => one.state !== 'failed',
      NONE
    );
    expect(ids(merged)).toEqual(['aaaaaaaaaa']);
  });

  it('leaves jobs of a later page to that page', () => {
    expect(ids(mergeJobs([newer], [older], [], all, QUEUED))).toEqual([
      'newer00000'
    ]);
    expect(mergeJobs([newer], [older], [], all, NONE)).toHaveLength(2);
    const ended = { ...runs, state: 'succeeded' as const };
    const unread = new Set(['succeeded']);
    expect(ids(mergeJobs([runs, newer], [ended], [], all, unread))).toEqual([
      'newer00000'
    ]);
    expect(mergeJobs([runs, newer], [ended], [], all, QUEUED)).toHaveLength(2);
  });
});

describe('a filter', () => {
  const only = (changes: object, one = job(), now?: number) =>
    matches(one, { ...NO_FILTER, ...changes }, now);

  it('searches every word in name, id, source and parameters', () => {
    const tuned = job({ parameters: { lr: 0.25 } });
    expect(only({ search: 'TRAIN' })).toBe(true);
    expect(only({ search: 'train 0.25' }, tuned)).toBe(true);
    expect(only({ search: 'train 0.26' }, tuned)).toBe(false);
    expect(only({ search: 'aaaa' })).toBe(true);
  });

  it('looks at state, place, environment, age and kind', () => {
    const now = Date.parse('2026-11-21T08:30:00Z');
    expect(only({ states: ['failed'] })).toBe(false);
    expect(only({ backends: ['slurm', 'local'] })).toBe(true);
    expect(only({ backends: ['slurm'] })).toBe(false);
    expect(only({ environments: ['science'] })).toBe(false);
    expect(only({ within: 3600 }, job(), now)).toBe(true);
    expect(only({ within: 3600 }, older, now)).toBe(false);
    expect(only({ sweep: true })).toBe(false);
    expect(only({ sweep: false })).toBe(true);
  });

  it('goes into an address and comes back', () => {
    const filter = {
      search: 'lr=0.1 & more',
      states: ['running', 'failed'] as const,
      backends: ['slurm'],
      environments: ['ml gpu'],
      within: 86_400,
      sweep: false
    };
    expect(readFilter(filterText(filter))).toEqual(filter);
    expect(filterText(NO_FILTER)).toBe('');
    expect(isFiltered({ ...NO_FILTER, search: '  ' })).toBe(false);
    expect(isFiltered(filter)).toBe(true);
  });

  it('takes nothing from an address that it does not know', () => {
    expect(readFilter('state=dead&within=7&sweep=maybe&x=1')).toEqual(
      NO_FILTER
    );
  });
});

describe('the lines of a list', () => {
  const done = job({ id: 'succeeded0', state: 'succeeded' });
  const entries = entriesOf([runs, newer, done], { succeeded: 40 }, []);

  it('are heads with the number of all, and the jobs that are loaded', () => {
    expect(entries.map(one => one.key)).toEqual([
      'group-running',
      'running000',
      'group-queued',
      'newer00000',
      'group-succeeded',
      'succeeded0',
      'more-succeeded'
    ]);
    expect(entries[4]).toMatchObject({ jobs: 40, open: true });
    expect(entries[6]).toMatchObject({ jobs: 39 });
    const closed = entriesOf([], { failed: 3 }, ['failed']);
    expect(closed).toMatchObject([{ jobs: 3, open: false }]);
  });

  it('know where each group goes on after the first page', () => {
    const counts = { running: 1, queued: 5, failed: 2 };
    const found = unfinishedAfter([runs, newer], 'g1n7', counts);
    expect([...found]).toEqual([
      ['queued', 'g1n7'],
      ['failed', null]
    ]);
    expect(unfinishedAfter([runs, newer], null, counts).size).toBe(0);
  });

  it('give the jobs of a range, without the heads between', () => {
    const range = ['running000', 'newer00000', 'succeeded0'];
    expect(jobsBetween(entries, 'running000', 'succeeded0')).toEqual(range);
    expect(jobsBetween(entries, 'succeeded0', 'running000')).toEqual(range);
    expect(jobsBetween(entries, 'gone', 'newer00000')).toEqual(['newer00000']);
  });
});

describe('a choice', () => {
  it('grows and shrinks, and a plain step leaves it', () => {
    let changes = 0;
    const selection = new Selection(() => (changes += 1));
    selection.go('a');
    selection.toggle('a');
    selection.toggle('b');
    selection.go('c');
    expect([...selection.chosen]).toEqual(['a', 'b']);
    selection.toggle('a');
    expect([...selection.chosen]).toEqual(['b']);
    selection.chooseAll(['a', 'b']);
    expect(selection.all).toBe(true);
    selection.toggle('a');
    expect(selection.all).toBe(false);
    selection.clear();
    expect(selection.chosen.size).toBe(0);
    expect(changes).toBe(8);
  });
});
