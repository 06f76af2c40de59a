/**
 * Which jobs a list shows, how they are grouped, and both as text for an address. Pure.
 */
import type { IJobsQuery } from '../api/client';
import type { JobRecord, JobState } from '../api/types';
import { STATES } from './words';

/** What a list of jobs is narrowed to; empty fields do not limit. */
export interface IJobFilter {
  search: string;
  states: readonly JobState[];
  backends: readonly string[];
  environments: readonly string[];
  /** Submitted within so many seconds before now; 0 for any time. */
  within: number;
  /** Sweeps only, single jobs only, or both. */
  sweep: boolean | null;
}

export const NO_FILTER: IJobFilter = {
  search: '',
  states: [],
  backends: [],
  environments: [],
  within: 0,
  sweep: null
};

/** A group of the list, in the order of the server's pages. */
export interface IGroup {
  name: string;
  label: string;
  states: readonly JobState[];
}

export const GROUPS: readonly IGroup[] = [
  { name: 'running', label: 'Running', states: ['starting', 'running'] },
  { name: 'queued', label: 'Queued', states: ['queued', 'evicted'] },
  { name: 'failed', label: 'Failed', states: ['failed'] },
  { name: 'succeeded', label: 'Succeeded', states: ['succeeded'] },
  { name: 'cancelled', label: 'Cancelled', states: ['cancelled'] }
];

export const AGES: readonly { label: string; seconds: number }[] = [
  { label: 'Any time', seconds: 0 },
  { label: 'Last hour', seconds: 3600 },
  { label: 'Last 24 hours', seconds: 86_400 },
  { label: 'Last 7 days', seconds: 7 * 86_400 },
  { label: 'Last 30 days', seconds: 30 * 86_400 }
];

export function groupOf(state: JobState): number {
  return GROUPS.findIndex(group => group.states.includes(state));
}

export function isFiltered(filter: IJobFilter): boolean {
  return filterText({ ...filter, search: filter.search.trim() }) !== '';
}

/** How many of the fields beside search and state limit the list. */
export function moreFilters(filter: IJobFilter): number {
  return [
    filter.backends.length > 0,
    filter.environments.length > 0,
    filter.within > 0,
    filter.sweep !== null
  ].filter(Boolean).length;
}

/** The question for the server; jobs of `folded` groups are counted only. */
export function queryOf(
  filter: IJobFilter,
  folded: readonly string[] = [],
  now = Date.now()
): IJobsQuery {
  const skipped = GROUPS.filter(group => folded.includes(group.name));
  return {
    search: filter.search,
    states: filter.states,
    backends: filter.backends,
    environments: filter.environments,
    since: filter.within ? sinceText(filter.within, now) : undefined,
    sweep: filter.sweep ?? undefined,
    skip: skipped.flatMap(group => group.states),
    order: 'groups'
  };
}

/** The time `within` seconds ago; whole seconds, because it goes into an address. */
export function sinceText(within: number, now = Date.now()): string {
  return new Date(Math.floor(now / 1000 - within) * 1000).toISOString();
}

/** Does a job belong into a list narrowed so? As the server decides it. */
export function matches(
  job: JobRecord,
  filter: IJobFilter,
  now = Date.now()
): boolean {
  const among = (values: readonly string[], value: string) =>
    !values.length || values.includes(value);
  if (
    !among(filter.states, job.state) ||
    !among(filter.backends, job.backend) ||
    !among(filter.environments, job.environment.name)
  ) {
    return false;
  }
  if (
    filter.within &&
    Date.parse(job.submitted_at) < now - filter.within * 1e3
  ) {
    return false;
  }
  if (filter.sweep !== null && filter.sweep !== Boolean(job.sweep)) {
    return false;
  }
  const text = [job.id, job.name, job.source, JSON.stringify(job.parameters)]
    .join('\n')
    .toLowerCase();
  return filter.search
    .toLowerCase()
    .split(/\s+/)
    .every(word => text.includes(word));
}

/** Groups in their order, newest first inside each. */
export function compareJobs(a: JobRecord, b: JobRecord): number {
  return (
    groupOf(a.state) - groupOf(b.state) ||
    Date.parse(b.submitted_at) - Date.parse(a.submitted_at)
  );
}

/** `search=lr&state=failed`: the filter for an address; empty for no filter. */
export function filterText(filter: IJobFilter): string {
  const found = new URLSearchParams();
  if (filter.search) {
    found.set('search', filter.search);
  }
  filter.states.forEach(state => found.append('state', state));
  filter.backends.forEach(name => found.append('place', name));
  filter.environments.forEach(name => found.append('environment', name));
  if (filter.within) {
    found.set('within', String(filter.within));
  }
  if (filter.sweep !== null) {
    found.set('sweep', String(filter.sweep));
  }
  return found.toString();
}

/** The filter that an address or a workspace tells; what nobody knows is left out. */
export function readFilter(text: string): IJobFilter {
  const given = new URLSearchParams(text.slice(0, 5000));
  const within = Number(given.get('within'));
  const sweep = given.get('sweep');
  return {
    search: (given.get('search') ?? '').slice(0, 200),
    states: STATES.filter(state => given.getAll('state').includes(state)),
    backends: given.getAll('place').slice(0, 100),
    environments: given.getAll('environment').slice(0, 100),
    within: AGES.some(age => age.seconds === within) ? within : 0,
    sweep: sweep === 'true' ? true : sweep === 'false' ? false : null
  };
}
