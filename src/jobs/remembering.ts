import type { IStateDB } from '@jupyterlab/statedb';
import { Debouncer } from '@lumino/polling';

import { ADDRESS } from './choosing';
import { filterText, readFilter } from './filter';
import type { JobsModel } from './model';

const KEY = 'mlinfn:jobs-list';
const PAUSE = 500;

/** What is kept of the list in the workspace. */
interface IKept {
  filter: string;
  folded: string[];
}

/** The list that an address asks for; `null` when it asks for none. */
export function askedInAddress(search: string): string | null {
  return new URLSearchParams(search).get(ADDRESS);
}

/** Show the list as the address asks, else as it was shown in this workspace; and keep it. */
export async function remember(
  jobs: JobsModel,
  states: IStateDB | null,
  asked: string | null
): Promise<void> {
  const kept = (await states?.fetch(KEY)) as Partial<IKept> | undefined;
  if (asked !== null) {
    jobs.restore(readFilter(asked), []);
  } else if (typeof kept?.filter === 'string') {
    const folded = Array.isArray(kept.folded) ? kept.folded : [];
    if (kept.filter || folded.length) {
      jobs.restore(readFilter(kept.filter), folded);
    }
  }
  if (!states) {
    return;
  }
  let last = '';
  // eslint-disable-next-line jupyter/require-disposable-ownership -- lives as long as the list, which is as long as the page
  const save = new Debouncer(async () => {
    const now = { filter: filterText(jobs.filter), folded: [...jobs.folded] };
    if (JSON.stringify(now) !== last) {
      last = JSON.stringify(now);
      await states.save(KEY, now);
    }
  }, PAUSE);
  jobs.stateChanged.connect(() => void save.invoke(), save);
}
