import type { Environment, Task } from '../api/types';

/** What one can do with environments; the commands carry it out. */
export interface IEnvironmentActions {
  create(): void;
  collectGarbage(): void;
  clone(one: Environment): void;
  addPackages(one: Environment): void;
  removePackages(one: Environment): void;
  update(one: Environment): void;
  showHistory(one: Environment): void;
  compare(one: Environment): void;
  showLock(one: Environment): void;
  pack(one: Environment): void;
  share(one: Environment): void;
  toggleKernel(one: Environment): void;
  toggleImageKernel(one: Environment): void;
  use(one: Environment): void;
  remove(one: Environment): void;
  cancel(task: Task): void;
  showMenu(one: Environment, x: number, y: number): void;
  /** False where there are no jobs. */
  readonly hasJobs: boolean;
}

/** Can it be cloned? Of those found, only what conda made has packages we can copy. */
export function canClone(one: Environment): boolean {
  return (
    one.kind !== 'found' || (one.source === 'conda' && one.prefix !== null)
  );
}

/** Is there a lock to look at, to compare, to export? */
export function hasLock(one: Environment): boolean {
  return one.kind !== 'found';
}

/** May its packages be changed? */
export function isOwn(one: Environment): boolean {
  return one.kind === 'own';
}

/** Can a job run in it? */
export function canUse(one: Environment): boolean {
  return !one.problem && (one.kernels.length > 0 || one.kind !== 'found');
}

/** Is there a kernel that runs out of the packed file? */
export function hasImageKernel(one: Environment): boolean {
  return one.kernels.includes(`mlinfn-${one.name}-image`.toLowerCase());
}

/** What a job's form calls it: by its kernel, or by its name where it has none. */
export function jobEnvironment(one: Environment): string {
  return one.kernel ?? one.kernels[0] ?? one.name;
}
