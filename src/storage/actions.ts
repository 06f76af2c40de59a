import type { AreaState } from '../api/types';

/** What the panel asks of the rest of JupyterLab. */
export interface IStorageActions {
  /** Show an area's folder in the file browser. */
  open(state: AreaState): void;
  /** Look into a bucket. */
  browse(state: AreaState): void;
  /** Show an area's backups. */
  showBackups(state: AreaState): void;
}
