/**
 * Short names for the types generated from the server's OpenAPI document.
 */
import type { components } from './generated';

type Schemas = components['schemas'];

export type Accelerator = Schemas['Accelerator'];
export type Amendment = Schemas['Amendment'];
export type Area = Schemas['Area'];
export type AreaList = Schemas['AreaList'];
export type AreaNote = Schemas['AreaNote'];
export type AreaState = Schemas['AreaState'];
export type AreaUse = Schemas['AreaUse'];
export type Attempt = Schemas['Attempt'];
export type BackendChoice = Schemas['BackendChoice'];
export type BackupCopy = Schemas['BackupCopy'];
export type BackupEntry = Schemas['BackupEntry'];
export type BackupFolder = Schemas['BackupFolder'];
export type BucketEntry = Schemas['BucketEntry'];
export type BucketFolder = Schemas['BucketFolder'];
export type EndedUpload = Schemas['EndedUpload'];
export type StartedUpload = Schemas['StartedUpload'];
export type StoredPiece = Schemas['StoredPiece'];
export type UploadPiece = Schemas['UploadPiece'];
export type BackupList = Schemas['BackupList'];
export type BulkAnswer = Schemas['BulkAnswer'];
export type BulkResult = Schemas['BulkResult'];
export type Change = Schemas['Change'];
export type CleanupPlan = Schemas['CleanupPlan'];
export type CleanupRequest = Schemas['CleanupRequest'];
export type DebugKernel = Schemas['DebugKernel'];
export type DeletedEnvironment = Schemas['DeletedEnvironment'];
export type DeletedFiles = Schemas['DeletedFiles'];
export type DiffedJob = Schemas['DiffedJob'];
export type Difference = Schemas['Difference'];
export type DiffItem = Schemas['DiffItem'];
export type DiffSection = Schemas['DiffSection'];
export type Draft = Schemas['Draft'];
export type Environment = Schemas['Environment'];
export type EnvironmentDetails = Schemas['EnvironmentDetails'];
export type EnvironmentHistory = Schemas['EnvironmentHistory'];
export type EnvironmentList = Schemas['EnvironmentList'];
export type ExportedFile = Schemas['ExportedFile'];
export type ExportForm = ExportedFile['form'];
export type FoundJobs = Schemas['FoundJobs'];
export type FoundPackage = Schemas['FoundPackage'];
export type GcPlan = Schemas['GcPlan'];
export type GpuHistory = Schemas['GpuHistory'];
export type GpuSnapshot = Schemas['GpuSnapshot'];
export type GpuShape = Schemas['GpuShape'];
export type Holder = Schemas['Holder'];
export type JobChoices = Schemas['JobChoices'];
export type JobCounts = Schemas['JobCounts'];
export type JobDetails = Schemas['JobDetails'];
export type JobDiff = Schemas['JobDiff'];
export type JobPage = Schemas['JobPage'];
export type JobRecord = Schemas['JobRecord'];
export type JobState = JobRecord['state'];
export type KernelChoice = Schemas['KernelChoice'];
export type LogChunk = Schemas['LogChunk'];
export type Outlook = Schemas['Outlook'];
export type PackageChange = Schemas['PackageChange'];
export type PackageMatches = Schemas['PackageMatches'];
export type PackedImage = Schemas['PackedImage'];
export type Parameter = Schemas['Parameter'];
export type Point = Schemas['Point'];
export type PointPage = Schemas['PointPage'];
export type Problem = Schemas['Problem'];
export type Progress = Schemas['Progress'];
export type Queue = Schemas['Queue'];
export type Reason = Schemas['Reason'];
export type RegisteredKernel = Schemas['RegisteredKernel'];
export type ReleaseOffer = Schemas['ReleaseOffer'];
export type Remedy = Schemas['Remedy'];
export type Resources = Schemas['Resources'];
export type HubSession = Schemas['HubSession'];
export type SessionView = Schemas['SessionView'];
export type ShareArea = Schemas['ShareArea'];
export type RestoreRequest = Schemas['RestoreRequest'];
export type RestoreTask = Schemas['RestoreTask'];
export type SharedDetails = Schemas['SharedDetails'];
export type SharedJob = Schemas['SharedJob'];
export type SharedJobs = Schemas['SharedJobs'];
export type SubmitForm = Schemas['SubmitForm'];
export type Sweep = Schemas['Sweep'];
export type SweepCounts = Schemas['SweepCounts'];
export type Task = Schemas['Task'];
export type TaskEvent = Schemas['TaskEvent'];
export type TaskList = Schemas['TaskList'];
export type TaskResult = Schemas['TaskResult'];

/** What a person asks for; every field but the source has a default on the server. */
export type JobRequest = Partial<Schemas['JobRequest']> & { source: string };

/** Changes to a recorded request; fields left out stay as they were. */
export type RerunRequest = Partial<Schemas['RerunRequest']>;

/** What a held job shall ask for; fields left out stay as they are. */
export type ReleaseRequest = Partial<Schemas['ReleaseRequest']>;

/** Changes to a shared run that becomes one's own job. */
export type SharedRerun = Partial<Schemas['SharedRerun']>;

type Asked<T> = Partial<Omit<T, 'action' | 'name'>>;

/** What is to be done with an environment; what is left out has a default on the server. */
export type TaskRequest = { name: string } & (
  | ({ action: 'create' } & Asked<Schemas['Create']>)
  | ({ action: 'clone'; source: string } & Asked<Schemas['Clone']>)
  | ({ action: 'change' } & Asked<Schemas['Alter']>)
  | ({ action: 'restore'; digest: string } & Asked<Schemas['Restore']>)
  | ({ action: 'pack' } & Asked<Schemas['Pack']>)
  | ({ action: 'relock' } & Asked<Schemas['Relock']>)
  | ({ action: 'lock'; platforms: string[] } & Asked<Schemas['LockPlatforms']>)
  | ({ action: 'share'; folder: string } & Asked<Schemas['Share']>)
  | ({ action: 'gc'; name: '' } & Asked<Schemas['Collect']>)
);

/** One thing to be done to many jobs; what is left out has a default on the server. */
export type BulkRequest = Partial<
  Omit<Schemas['BulkRequest'], 'matching'> & {
    matching: Partial<Schemas['JobFilter']>;
  }
>;

/** Values as JSON carries them. */
export type Values = Record<string, unknown>;

/** What the live socket carries. */
export type ClientMessage = Schemas['ClientMessage'];
export type GpuChanges = Schemas['GpuChanges'];
export type JobChanges = Schemas['JobChanges'];
export type JobNotebook = Schemas['JobNotebook'];
export type SaveRequest = Schemas['Save'];
export type ServerMessage = Schemas['ServerMessage'];
export type Frames = {
  gpus: Schemas['GpusFull'] | Schemas['GpusDelta'];
  jobs: Schemas['JobsFull'] | Schemas['JobsDelta'];
  tasks: Schemas['TasksFull'] | Schemas['TasksDelta'];
  session: Schemas['SessionFull'];
};
