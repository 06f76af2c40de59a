import type { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

import type { JobRecord } from '../api/types';
import { CommandIDs } from './commands';
import { isHeld } from './words';

/** What can be done with a job, at a place of the page; the focus returns when it closes. */
export function showJobMenu(
  commands: CommandRegistry,
  job: JobRecord,
  x: number,
  y: number
): void {
  const menu = new Menu({ commands });
  const args = { id: job.id };
  const add = (command: string) => menu.addItem({ command, args });
  add(CommandIDs.openJob);
  add(CommandIDs.openNotebook);
  add(CommandIDs.openOutput);
  menu.addItem({ type: 'separator' });
  add(CommandIDs.cancelJob);
  if (isHeld(job)) {
    add(CommandIDs.releaseJob);
  }
  add(CommandIDs.rerunJob);
  add(CommandIDs.rerunExactly);
  add(CommandIDs.compareJobs);
  add(CommandIDs.editJob);
  add(CommandIDs.openKernel);
  menu.addItem({ type: 'separator' });
  add(CommandIDs.deleteJob);
  const before = document.activeElement;
  menu.aboutToClose.connect(() => {
    if (before instanceof HTMLElement) {
      before.focus();
    }
    window.setTimeout(() => menu.dispose(), 0);
  }, menu);
  menu.open(x, y);
}
