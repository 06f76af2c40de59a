/**
 * How environments, and what is done with them, are spoken of. Pure.
 */
import type { Change, Environment, PackageChange, Task } from '../api/types';
import { count, showBytes } from '../components/quantities';

export interface IGroup {
  kind: Environment['kind'];
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
    kind,
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
  const plain = one.kind !== 'found' || one.source === 'kernel';
  return plain ? language : `${language} · ${one.source}`;
}

/** `5.2 GiB · 18,123 files`, or that it is still being counted. */
export function sizeText(one: Environment, measuring: boolean): string {
  if (one.size === null || one.files === null) {
    return measuring && one.prefix
      ? 'size is being counted…'
      : 'size not known';
  }
  return `${showBytes(one.size)} · ${showFiles(one.files)}`;
}

/** `1 file`, `18,123 files`. */
export function showFiles(files: number): string {
  return `${files.toLocaleString('en')} ${files === 1 ? 'file' : 'files'}`;
}

/** `numpy 2.3.1 · torch 2.9.0 · 180 packages`. */
export function packagesText(one: Environment): string {
  const telling = one.telling.map(item => `${item.name} ${item.version}`);
  const number = one.packages === null ? [] : [count(one.packages, 'package')];
  return [...telling.slice(0, 3), ...number].join(' · ');
}

/** `kernel on · locked ✓ · packed ✓`; what a found environment is started by. */
export function stateText(one: Environment): string {
  if (one.kind === 'found') {
    return one.kernels.length
      ? `kernel ${one.kernels.join(', ')}`
      : 'no kernel here';
  }
  const off = one.kind === 'own' ? ['kernel off'] : [];
  return [
    ...(one.kernels.length ? ['kernel on'] : off),
    one.digest ? 'locked ✓' : unlockedText(one),
    ...(one.packed ? ['packed ✓'] : [])
  ].join(' · ');
}

/** Whether at least its packages were counted. */
function unlockedText(one: Environment): string {
  return one.inventoried ? 'inventoried, not locked' : 'not locked';
}

/** `2 kernels and 1 job`; empty when nothing runs in it. */
export function usersText(one: Environment): string {
  return [
    one.used_by_kernels ? count(one.used_by_kernels, 'kernel') : '',
    one.used_by_jobs ? count(one.used_by_jobs, 'job') : ''
  ]
    .filter(Boolean)
    .join(' and ');
}

/** What is wrong with CUDA here, in words; empty when nothing is. */
export function cudaText(one: Environment): string {
  return one.cuda && one.cuda.state !== 'compatible' ? one.cuda.text : '';
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Words of the server's addresses; it refuses them as names. */
const RESERVED = ['tasks', 'packages', 'difference', 'gc'];

/** What the rule for names is, in the server's own words. */
export const NAME_RULE =
  'Use up to 64 letters (a to z), digits, dots, dashes and underscores, and begin with a letter or a digit.';

/** Why a new environment cannot have this name; `null` when it can. */
export function nameProblem(
  name: string,
  taken: readonly string[]
): string | null {
  if (!name) {
    return 'Give it a name.';
  }
  if (!NAME.test(name)) {
    return NAME_RULE;
  }
  if (RESERVED.includes(name)) {
    return `'${name}' is a word of this program. Choose another one, such as 'my-${name}'.`;
  }
  return taken.includes(name)
    ? `You have an environment named '${name}' already.`
    : null;
}

/** A free name for a copy of `source`: `my-ml-gpu` for a managed one, `ml-2` for one's own. */
export function suggestName(
  source: Pick<Environment, 'name' | 'kind'>,
  taken: readonly string[]
): string {
  const plain =
    source.name
      .normalize('NFKD')
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '') || 'environment';
  const own = source.kind === 'own';
  const base = (own ? plain.replace(/-\d+$/, '') : `my-${plain}`).slice(0, 60);
  if (!own && !taken.includes(base)) {
    return base;
  }
  for (let number = 2; ; number += 1) {
    const name = `${base}-${number}`;
    if (!taken.includes(name)) {
      return name;
    }
  }
}

const DOING: Record<Task['action'], string> = {
  create: 'is being made',
  clone: 'is being cloned',
  change: 'is being changed',
  restore: 'goes back',
  pack: 'is being packed',
  relock: 'is being locked as it is now',
  lock: 'is being locked for several platforms',
  share: 'is being shared',
  gc: 'is being cleared of what nobody uses'
};

/** `being cloned`, for the row of an environment. */
export function doingText(task: Task): string {
  return DOING[task.action];
}

/** `3 packages would be added, 1 changed, 2 removed.` */
export function changeText(change: Change): string {
  const { added, changed, removed } = change;
  const parts = [
    [added.length, 'added'],
    [changed.length, 'changed'],
    [removed.length, 'removed']
  ] as const;
  const [first, ...others] = parts.filter(([number]) => number > 0);
  if (!first) {
    return 'No package would be added, changed or removed.';
  }
  const more = others.map(([number, word]) => `, ${number} ${word}`).join('');
  return `${count(first[0], 'package')} would be ${first[1]}${more}.`;
}

/** `Download 12.3 MiB. Then 2.1 GiB in 18,130 files.`; only what is known. */
export function costText(change: Change): string {
  const { download, size, files } = change;
  const after = [
    size === null ? '' : showBytes(size),
    files === null ? '' : showFiles(files)
  ].filter(Boolean);
  return [
    download === null
      ? ''
      : download
        ? `Download: ${showBytes(download)}.`
        : 'Nothing has to be downloaded.',
    after.length ? `Afterwards about ${after.join(' in ')}.` : ''
  ]
    .filter(Boolean)
    .join(' ');
}

/** `2.3.4 → 2.3.5`; the build only where the version is the same. */
export function versionText(one: PackageChange): string {
  const before = one.before?.split(' ') ?? [];
  const after = one.after?.split(' ') ?? [];
  if (before.length && after.length) {
    return before[0] === after[0]
      ? `${one.before} → ${one.after}`
      : `${before[0]} → ${after[0]}`;
  }
  return after[0] ?? before[0] ?? '';
}

/** The first digits of `sha256:…`. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, '').slice(0, 12);
}

/** Splits what was typed into conda and pip requirements: `pip:` marks those for pip. */
export function byManager(chips: readonly string[]): {
  conda: string[];
  pip: string[];
} {
  const pip = /^pip:\s*/i;
  return {
    conda: chips.filter(chip => !pip.test(chip)),
    pip: chips.filter(chip => pip.test(chip)).map(chip => chip.replace(pip, ''))
  };
}

/** The name at the beginning of a requirement: `numpy` of `numpy>=2`. */
export function requirementName(text: string): string {
  return (/^[^\s<>=!~;[(]*/.exec(text.trim())?.[0] ?? '').toLowerCase();
}
