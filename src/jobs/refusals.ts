import { ApiProblem } from '../api/client';

/** The environment is not what its lock says. */
export function isMismatch(error: unknown): boolean {
  return error instanceof ApiProblem && error.code === 'environment-mismatch';
}

/** Something is not as it was when the job ran, so it cannot be run again exactly. */
export function isNotExact(error: unknown): error is ApiProblem {
  return error instanceof ApiProblem && error.code === 'not-exact';
}
