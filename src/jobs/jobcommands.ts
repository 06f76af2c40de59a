import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { JobRecord } from '../api/types';
import { jobsIcon } from '../components/icons';
import { CommandIDs } from './commands';
import type { Desk } from './desk';
import type { JobsModel } from './model';
import { hasEnded, hasNotebook, isHeld } from './words';

interface ICommandParts {
  desk: Desk;
  model: JobsModel;
  notebooks: INotebookTracker | null;
  files: IFileBrowserFactory | null;
}

const JOB_ARGS = {
  type: 'object',
  properties: { id: { type: 'string', description: 'The id of the job' } }
} as const;

const NO_ARGS = { type: 'object', properties: {} } as const;

const COMPARE_ARGS = {
  type: 'object',
  properties: {
    id: { type: 'string', description: 'The id of the job' },
    other: {
      type: 'string',
      description: 'The id of the other job; it is chosen when left out'
    }
  }
} as const;

/** All commands of the jobs; a job's commands take its id, or mean the one selected. */
export function addJobCommands(
  commands: CommandRegistry,
  parts: ICommandParts
): void {
  addSubmit(commands, parts);
  addListCommands(commands, parts.desk);
  addOneJobCommands(commands, parts);
  addCompare(commands, parts);
}

function addSubmit(commands: CommandRegistry, parts: ICommandParts): void {
  const { desk, files } = parts;
  commands.addCommand(CommandIDs.submit, {
    label: args => (args['toolbar'] ? '' : 'Submit as Job…'),
    caption: 'Run this notebook as a job, from top to bottom',
    icon: jobsIcon,
    describedBy: {
      args: {
        type: 'object',
        properties: {
          path: { type: 'string', description: 'The notebook or script' },
          selected: {
            type: 'boolean',
            description: 'Take the file selected in the file browser'
          }
        }
      }
    },
    execute: args => {
      const browser = files?.tracker.currentWidget;
      const chosen = args['selected']
        ? browser?.selectedItems().next().value?.path
        : undefined;
      return desk.submitPath((args['path'] as string) || chosen);
    }
  });
}

function addListCommands(commands: CommandRegistry, desk: Desk): void {
  commands.addCommand(CommandIDs.openJobsTab, {
    label: 'Open Jobs in a Tab',
    icon: jobsIcon,
    describedBy: { args: NO_ARGS },
    execute: () => desk.openAsTab()
  });
  commands.addCommand(CommandIDs.cleanUp, {
    label: 'Clean up Old Jobs…',
    describedBy: { args: NO_ARGS },
    execute: () => desk.cleanUp()
  });
  commands.addCommand(CommandIDs.openJob, {
    label: 'Open Job',
    describedBy: { args: JOB_ARGS },
    execute: args => desk.open(String(args['id']))
  });
}

function addCompare(
  commands: CommandRegistry,
  { desk, model }: ICommandParts
): void {
  const idOf = (args: ReadonlyPartialJSONObject) =>
    String(args['id'] ?? model.selected ?? '');
  commands.addCommand(CommandIDs.compareJobs, {
    label: 'Compare Job with…',
    describedBy: { args: COMPARE_ARGS },
    isEnabled: args => idOf(args) !== '',
    execute: args =>
      desk.compare(
        idOf(args),
        args['other'] === undefined ? undefined : String(args['other'])
      )
  });
}

function addOneJobCommands(
  commands: CommandRegistry,
  { desk, model }: ICommandParts
): void {
  const jobOf = (args: ReadonlyPartialJSONObject): JobRecord | null =>
    model.job(String(args['id'] ?? model.selected));
  const add = (
    command: string,
    label: string,
    enabled: (job: JobRecord) => boolean,
    run: (job: JobRecord) => void
  ) =>
    commands.addCommand(command, {
      label,
      describedBy: { args: JOB_ARGS },
      isEnabled: args => {
        const job = jobOf(args);
        return job !== null && enabled(job);
      },
      execute: args => {
        const job = jobOf(args);
        if (job) {
          run(job);
        }
      }
    });
  const always = () => true;
  add(
    CommandIDs.cancelJob,
    'Cancel',
    job => !hasEnded(job) && !job.cancelling,
    job => desk.cancel(job)
  );
  add(CommandIDs.releaseJob, 'Release…', isHeld, job => desk.release(job));
  add(CommandIDs.rerunJob, 'Rerun', hasEnded, job => desk.rerun(job));
  add(CommandIDs.rerunExactly, 'Rerun Exactly', hasEnded, job =>
    desk.rerunExactly(job)
  );
  add(CommandIDs.editJob, 'Edit and Rerun…', always, job => desk.edit(job));
  add(CommandIDs.deleteJob, 'Delete…', hasEnded, job => desk.remove(job));
  add(
    CommandIDs.openOutput,
    'Open Output',
    job => job.output !== null,
    job => desk.openOutput(job)
  );
  add(CommandIDs.openNotebook, 'Open Notebook of the Job', hasNotebook, job =>
    desk.openNotebook(job)
  );
  add(
    CommandIDs.openKernel,
    'Open a Kernel in its Folder and Environment',
    hasEnded,
    job => desk.openKernel(job)
  );
}
