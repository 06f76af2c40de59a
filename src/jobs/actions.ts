import type { JobRecord, Resources } from '../api/types';

/** What one can do from the list and from a job's tab; the commands carry it out. */
export interface IJobActions {
  submit(): void;
  cleanUp(): void;
  openAsTab(): void;
  open(id: string): void;
  cancel(job: JobRecord): void;
  rerun(job: JobRecord, resources?: Resources): void;
  edit(job: JobRecord): void;
  remove(job: JobRecord): void;
  openOutput(job: JobRecord): void;
  openNotebook(job: JobRecord): void;
  openKernel(job: JobRecord): void;
  showMenu(job: JobRecord, x: number, y: number): void;
}
