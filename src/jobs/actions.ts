import type { BulkVerb } from '../api/client';
import type { JobRecord, Resources } from '../api/types';

/** What one can do from the list and from a job's tab; the commands carry it out. */
export interface IJobActions {
  submit(): void;
  cleanUp(): void;
  openAsTab(): void;
  /** Ask, then do it to the jobs that are chosen. */
  bulk(verb: BulkVerb): void;
  chooseAll(): void;
  copyLink(): void;
  open(id: string): void;
  cancel(job: JobRecord): void;
  /** Let it go that its batch system holds, perhaps asking for something else. */
  release(job: JobRecord): void;
  rerun(job: JobRecord, resources?: Resources): void;
  /** The same code, environment and inputs, or a refusal that says what differs. */
  rerunExactly(job: JobRecord): void;
  /** Beside another job, which is chosen if it is not named. */
  compare(job: string, other?: string): void;
  edit(job: JobRecord): void;
  remove(job: JobRecord): void;
  /** Ask where to put a copy for colleagues, or take it back. */
  share(job: JobRecord): void;
  /** A job that somebody shares. */
  openShared(area: string, id: string): void;
  openOutput(job: JobRecord): void;
  /** As far as it has come; of one point of a sweep where that is named. */
  openNotebook(job: JobRecord, point?: number): void;
  /** A file of this server, by its path. */
  openFile(path: string): void;
  /** Run it again, beginning with a copy of its checkpoints. */
  continueFrom(job: JobRecord): void;
  /** Some points of a sweep again, as a new sweep. */
  rerunPoints(job: JobRecord, points: 'failed' | number[]): void;
  cancelPoint(job: JobRecord, point: number): void;
  /** The table of a sweep as a CSV file. */
  savePoints(job: JobRecord): void;
  openKernel(job: JobRecord): void;
  showMenu(job: JobRecord, x: number, y: number): void;
}
