/**
 * The lines of a grouped list: a head for each group, and its jobs while it is open. Pure.
 */
import type { JobRecord, JobState } from '../api/types';
import { compareJobs, GROUPS, groupOf } from './filter';
import type { IGroup } from './filter';

/** How many jobs are in each state; states without any may be left out. */
export type StateCounts = Partial<Record<JobState, number>>;

/** One line. */
export type Entry =
  | { kind: 'group'; key: string; group: IGroup; jobs: number; open: boolean }
  | { kind: 'job'; key: string; job: JobRecord }
  | { kind: 'more'; key: string; group: IGroup; jobs: number };

export function sumOf(
  counts: StateCounts,
  states: readonly JobState[]
): number {
  return states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

/** Heads of the groups that have jobs, and below each the jobs that are loaded. */
export function entriesOf(
  jobs: readonly JobRecord[],
  counts: StateCounts,
  folded: readonly string[]
): Entry[] {
  const loaded = GROUPS.map((): JobRecord[] => []);
  jobs.forEach(job => loaded[groupOf(job.state)].push(job));
  return GROUPS.flatMap((group, index): Entry[] => {
    const number = Math.max(sumOf(counts, group.states), loaded[index].length);
    if (!number) {
      return [];
    }
    const open = !folded.includes(group.name);
    const head: Entry = {
      kind: 'group',
      key: `group-${group.name}`,
      group,
      jobs: number,
      open
    };
    const lines = loaded[index].map((job): Entry => ({
      kind: 'job',
      key: job.id,
      job
    }));
    const left = number - lines.length;
    const more: Entry = {
      kind: 'more',
      key: `more-${group.name}`,
      group,
      jobs: left
    };
    return [head, ...(open ? lines : []), ...(open && left ? [more] : [])];
  });
}

/**
 * The list with changes in place, deleted ones gone. In the groups of `unfinished`, jobs behind
 * the last one loaded wait for their page.
 */
export function mergeJobs(
  jobs: readonly JobRecord[],
  changed: readonly JobRecord[],
  deleted: readonly string[],
  belongs: (job: JobRecord) => boolean,
  unfinished: ReadonlySet<string>
): JobRecord[] {
  const news = new Map(changed.map(job => [job.id, job]));
  const gone = new Set(deleted);
  const last = new Map(jobs.map(job => [groupOf(job.state), job]));
  const behind = (job: JobRecord) => {
    const group = groupOf(job.state);
    const end = last.get(group);
    return (
      unfinished.has(GROUPS[group].name) &&
      (end === undefined || compareJobs(job, end) > 0)
    );
  };
  const kept = jobs.filter(job => !gone.has(job.id) && !news.has(job.id));
  const added = [...news.values()].filter(
    job => !gone.has(job.id) && belongs(job) && !behind(job)
  );
  return added.length || kept.length < jobs.length
    ? [...kept, ...added].sort(compareJobs)
    : [...jobs];
}

/**
 * The groups that have more pages, with the cursor of the next one: the group in which the first
 * page ended, and those behind it, which begin at their beginning (`null`).
 */
export function unfinishedAfter(
  jobs: readonly JobRecord[],
  next: string | null,
  counts: StateCounts
): Map<string, string | null> {
  const found = new Map<string, string | null>();
  if (next === null) {
    return found;
  }
  const end = jobs.length ? groupOf(jobs[jobs.length - 1].state) : -1;
  GROUPS.forEach((group, index) => {
    const loaded = jobs.filter(job => groupOf(job.state) === index).length;
    if (index >= end && sumOf(counts, group.states) > loaded) {
      found.set(group.name, index === end ? next : null);
    }
  });
  return found;
}

/** The keys of the jobs from one line to another, both included, whichever is first. */
export function jobsBetween(
  entries: readonly Entry[],
  one: string,
  other: string
): string[] {
  const places = [one, other].map(key =>
    entries.findIndex(entry => entry.key === key)
  );
  const [from, to] = [Math.min(...places), Math.max(...places)];
  return from < 0
    ? [other].filter(key =>
        entries.some(e => e.key === key && e.kind === 'job')
      )
    : entries
        .slice(from, to + 1)
        .filter(entry => entry.kind === 'job')
        .map(entry => entry.key);
}
