/**
 * Which of the chosen jobs an action means something for. Pure.
 */
import type { BulkVerb } from '../api/client';
import type { JobState } from '../api/types';
import { count } from '../components/quantities';
import type { StateCounts } from './listing';
import { sumOf } from './listing';

const GOES_ON: readonly JobState[] = [
  'queued',
  'starting',
  'running',
  'evicted'
];
const ENDED: readonly JobState[] = ['succeeded', 'failed', 'cancelled'];

/** The states in which a verb means something; the server decides in the end. */
export function statesFor(verb: BulkVerb): readonly JobState[] {
  return verb === 'cancel' ? GOES_ON : ENDED;
}

/** How many of so many jobs the verb means something for. */
export function numberFor(verb: BulkVerb, counts: StateCounts): number {
  return sumOf(counts, statesFor(verb));
}

/** What of the choice stays as it is, and why. */
export function noteFor(verb: BulkVerb, counts: StateCounts): string {
  const others = numberFor(verb === 'cancel' ? 'delete' : 'cancel', counts);
  if (!others) {
    return '';
  }
  const have = others === 1 ? 'has' : 'have';
  const stay = others === 1 ? 'stays as it is' : 'stay as they are';
  return verb === 'cancel'
    ? `${count(others, 'job')} of your choice ${have} ended already and ${stay}.`
    : `${count(others, 'job')} of your choice ${have} not ended and ${stay}.`;
}
