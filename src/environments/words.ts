/**
 * How environments are grouped and spoken of. Pure.
 */
import type { Environment } from '../api/types';
import { count, showBytes } from '../components/quantities';

export interface IGroup {
  title: string;
  environments: readonly Environment[];
}

const GROUPS: [Environment['kind'], string][] = [
  ['own', 'Mine'],
  ['managed', 'Managed'],
  ['found', 'Found']
];

/** Mine, Managed, Found; only those that have something in them. */
export function groups(
  environments: readonly Environment[],
  search: string
): IGroup[] {
  const sought = search.trim().toLowerCase();
  const found = environments.filter(one => matches(one, sought));
  return GROUPS.map(([kind, title]) => ({
    title,
    environments: found.filter(one => one.kind === kind)
  })).filter(group => group.environments.length > 0);
}

function matches(one: Environment, sought: string): boolean {
  const texts = [
    one.name,
    one.prefix ?? '',
    ...one.kernels,
    ...one.telling.map(item => item.name)
  ];
  return !sought || texts.some(text => text.toLowerCase().includes(sought));
}

/** `Python 3.11.7 · venv`, `R`. */
export function interpreterText(one: Environment): string {
  const language =
    one.language.toLowerCase() === 'python'
      ? ['Python', one.python].filter(Boolean).join(' ')
      : one.language;
  return one.source === 'kernel' ? language : `${language} · ${one.source}`;
}

/** `5.2 GiB · 18,123 files`, or that it is still being counted. */
export function sizeText(one: Environment, measuring: boolean): string {
  if (one.size === null || one.files === null) {
    return measuring && one.prefix
      ? 'size is being counted…'
      : 'size not known';
  }
  const files = one.files.toLocaleString('en');
  return `${showBytes(one.size)} · ${files} ${one.files === 1 ? 'file' : 'files'}`;
}

/** `numpy 2.3.1 · torch 2.9.0 · 180 packages`. */
export function packagesText(one: Environment): string {
  const telling = one.telling.map(item => `${item.name} ${item.version}`);
  const number = one.packages === null ? [] : [count(one.packages, 'package')];
  return [...telling, ...number].join(' · ');
}
