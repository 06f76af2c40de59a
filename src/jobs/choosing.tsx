import { Clipboard, Notification } from '@jupyterlab/apputils';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import * as React from 'react';

import type { BulkVerb } from '../api/client';
import type { JobState } from '../api/types';
import { openDialog } from '../components/dialog';
import { Bulk } from './bulk';
import type { BulkTarget } from './bulkmodel';
import { BulkModel } from './bulkmodel';
import { noteFor, numberFor, statesFor } from './bulkwords';
import { filterText } from './filter';
import type { StateCounts } from './listing';
import type { JobsModel } from './model';

/** Name of the part of an address that tells which jobs to show. */
export const ADDRESS = 'mlinfn-jobs';

/** Ask, then do one thing to the jobs that are chosen; the dialog shows how far it is. */
export function openBulk(jobs: JobsModel, verb: BulkVerb): void {
  const { counts, target } = chosen(jobs, verb);
  if (!numberFor(verb, counts)) {
    Notification.info(noteFor(verb, counts), { autoClose: 6000 });
    return;
  }

  const model = new BulkModel(jobs.client, verb, target);
  void openDialog(`Jobs: ${verb}`, close => (
    <Bulk model={model} note={noteFor(verb, counts)} onClose={close} />
  )).then(() => {
    model.stop();
    if (model.state !== 'asked') {
      jobs.selection.clear();
      void jobs.refresh();
    }
    model.dispose();
  });
}

/** What the choice is, for a verb: the jobs that it means something for. */
export function chosen(
  jobs: JobsModel,
  verb: BulkVerb
): { counts: StateCounts; target: BulkTarget } {
  const { selection, filter } = jobs;
  if (selection.all) {
    const counts = jobs.matching;
    return { counts, target: { filter, number: numberFor(verb, counts) } };
  }
  const counts: Partial<Record<JobState, number>> = {};
  const ids: string[] = [];
  for (const id of selection.chosen) {
    const state = jobs.job(id)?.state;
    if (state) {
      counts[state] = (counts[state] ?? 0) + 1;
    }
    if (state && statesFor(verb).includes(state)) {
      ids.push(id);
    }
  }
  return { counts, target: { ids } };
}

/** Choose all that match; those that are loaded are marked. */
export function chooseAll(jobs: JobsModel): void {
  jobs.selection.chooseAll(
    jobs.entries.filter(one => one.kind === 'job').map(one => one.key)
  );
}

/** Copy an address that opens this page with the list as it is now. */
export function copyLink(jobs: JobsModel): void {
  Clipboard.copyToSystem(addressOf(jobs, PageConfig.getUrl({ treePath: '' })));
  Notification.success('The link to this list is in the clipboard.', {
    autoClose: 4000
  });
}

/** `…/lab?mlinfn-jobs=state%3Dfailed`. */
export function addressOf(
  jobs: Pick<JobsModel, 'filter'>,
  page: string
): string {
  const query = URLExt.objectToQueryString({
    [ADDRESS]: filterText(jobs.filter)
  });
  return page + query;
}
