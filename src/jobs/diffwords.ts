import type { DiffItem, DiffSection, JobDiff, JobRecord } from '../api/types';
import { count, showBytes, showDuration } from '../components/quantities';
import { literalText } from './fields';

/** What stands before a line, so that nothing is told by colour alone. */
export const MARKS: Record<DiffItem['standing'], string> = {
  equal: '=',
  changed: '≠',
  'only-a': '−',
  'only-b': '+',
  unknown: '?'
};

export const STANDINGS: Record<DiffItem['standing'], string> = {
  equal: 'equal',
  changed: 'different',
  'only-a': 'only in A',
  'only-b': 'only in B',
  unknown: 'cannot be told'
};

const SHORT = 12;

/** A value of one side for people; `–` where it has none. */
export function showValue(item: DiffItem, side: 'a' | 'b'): string {
  const value: unknown = item[side];
  if (value === null || value === undefined) {
    return absent(item, side) ? '–' : 'none';
  }
  if (typeof value === 'number' && item.kind === 'bytes') {
    return showBytes(value);
  }
  if (typeof value === 'number' && item.kind === 'seconds') {
    return value < 10 ? `${value.toFixed(2)} s` : showDuration(value);
  }
  if (typeof value === 'string') {
    const digest = value.replace(/^sha256:/, '');
    const long = item.kind === 'hash' && digest.length > 2 * SHORT;
    return long ? `${digest.slice(0, SHORT)}…` : digest;
  }
  return literalText(value);
}

function absent(item: DiffItem, side: 'a' | 'b'): boolean {
  return (
    item.standing === (side === 'a' ? 'only-b' : 'only-a') ||
    item.kind !== 'value'
  );
}

/** `2 differ · 301 equal`. */
export function sectionText(section: DiffSection): string {
  const equal = section.items.filter(one => one.standing === 'equal').length;
  const unknown = section.items.filter(
    one => one.standing === 'unknown'
  ).length;
  const other = section.items.length - equal - unknown;
  if (!section.items.length) {
    return 'nothing on either side';
  }
  return [
    other ? `${other} ${other === 1 ? 'differs' : 'differ'}` : '',
    unknown ? `${unknown} cannot be told` : '',
    equal ? `${equal} equal` : ''
  ]
    .filter(Boolean)
    .join(' · ');
}

/** The items that a search finds, in names, values and lines. */
export function found(
  items: readonly DiffItem[],
  search: string
): readonly DiffItem[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    return items;
  }
  return items.filter(item => {
    const text = [
      item.name,
      JSON.stringify(item.a),
      JSON.stringify(item.b),
      ...item.detail
    ]
      .join('\n')
      .toLowerCase();
    return words.every(word => text.includes(word));
  });
}

/** Above all: are the results the same, and was the same asked for. */
export function verdictText(diff: JobDiff): string {
  if (diff.same_outputs === null) {
    return 'Results cannot be compared';
  }
  return diff.same_outputs ? 'Same results' : 'Other results';
}

/** Jobs to compare with, the likeliest first: what it repeats, then the same notebook's. */
export function likely(
  job: JobRecord | null,
  others: readonly JobRecord[]
): readonly JobRecord[] {
  const rank = (one: JobRecord): number =>
    one.id === job?.rerun_of || (job !== null && one.rerun_of === job.id)
      ? 0
      : one.source === job?.source
        ? 1
        : 2;
  return others
    .filter(one => one.id !== job?.id)
    .map((one, index) => ({ one, index }))
    .sort((x, y) => rank(x.one) - rank(y.one) || x.index - y.index)
    .map(({ one }) => one);
}

/** How many jobs a search gave, in words. */
export function choiceText(number: number, search: string): string {
  if (!number) {
    return search
      ? 'No other job matches.'
      : 'There is no other job yet. Run this one again, then compare.';
  }
  return count(number, 'job');
}
