/**
 * What a held job shall ask for when it is let go, as typed, and the request that means. Pure.
 */
import type {
  Amendment,
  Problem,
  ReleaseOffer,
  ReleaseRequest
} from '../api/types';
import {
  parseBytes,
  parseDuration,
  showBytes,
  showDuration
} from '../components/quantities';
import { moreMemory } from './words';

export type Amendable = ReleaseOffer['amends'][number];

/** What is typed, by what it is of. */
export type ReleaseFields = Record<Amendable, string>;

export const LABELS: Record<Amendable, string> = {
  memory: 'Memory',
  time: 'Time limit',
  cpus: 'CPUs',
  disk: 'Disk'
};

/** An amount of one of these, with its unit. */
export function amountText(of: Amendable, amount: number | null): string {
  if (amount === null) {
    return '';
  }
  switch (of) {
    case 'cpus':
      return String(amount);
    case 'time':
      return showDuration(amount);
    default:
      return showBytes(amount);
  }
}

/** What it asks for now, and more of what it is held for: as it is it would be held again. */
export function releaseFields({
  asks,
  cause,
  used
}: ReleaseOffer): ReleaseFields {
  const fields = {} as ReleaseFields;
  for (const of of Object.keys(LABELS) as Amendable[]) {
    const more =
      of === cause ? enough(of, Math.max(asks[of] ?? 0, used ?? 0)) : asks[of];
    fields[of] = amountText(of, more);
  }
  return fields;
}

function enough(of: Amendable, amount: number): number {
  switch (of) {
    case 'cpus':
      return amount;
    case 'time':
      return amount * 2;
    default:
      return moreMemory(amount);
  }
}

/** What was changed while it was held: `Memory 1.0 GiB → 2.0 GiB`. */
export function amendmentText({ before, now }: Amendment): string {
  return (Object.keys(LABELS) as Amendable[])
    .filter(of => before[of] !== now[of])
    .map(of => {
      const was = amountText(of, before[of]) || 'the usual';
      return `${LABELS[of]} ${was} → ${amountText(of, now[of])}`;
    })
    .join(', ');
}

/** The request, with what was changed, and what cannot be read. */
export function readRelease(
  offer: ReleaseOffer,
  fields: ReleaseFields
): { request: ReleaseRequest; problems: Problem[] } {
  const request: ReleaseRequest = {};
  const problems: Problem[] = [];
  for (const of of offer.amends) {
    const typed = fields[of].trim();
    if (typed === amountText(of, offer.asks[of])) {
      continue;
    }
    const amount = read(of, typed);
    if (amount === null) {
      const text = `${LABELS[of]}: '${typed}' is no ${EXPECTED[of]}.`;
      problems.push({ code: `bad-${of}`, field: of, text, hint: null });
    } else {
      request[of] = amount;
    }
  }
  return { request, problems };
}

const EXPECTED: Record<Amendable, string> = {
  memory: 'amount such as 4 GiB',
  time: 'time such as 8 h',
  cpus: 'whole number from 1 on',
  disk: 'amount such as 10 GiB'
};

function read(of: Amendable, typed: string): number | null {
  switch (of) {
    case 'cpus':
      return /^[1-9]\d{0,5}$/.test(typed) ? Number(typed) : null;
    case 'time':
      return parseDuration(typed);
    default:
      return parseBytes(typed);
  }
}
