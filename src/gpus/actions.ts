import type { Holder } from '../api/types';

/** What one can do from the GPUs panel. */
export interface IGpuActions {
  /** Show the notebook or the job that holds memory. */
  open(holder: Holder): void;
  /** End the kernels that hold memory, after asking. */
  free(holders: readonly Holder[]): void;
  openAsTab(): void;
}
