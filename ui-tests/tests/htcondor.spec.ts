/**
 * The form knows a real HTCondor, and the page of a job there names its number; a job that HTCondor
 * holds is changed and goes on.
 */
import type { Page } from '@playwright/test';

import { form, openForm, openJob, row, shows, submit } from '../harness/jobs';
import {
  command,
  expect,
  look,
  noAxeViolations,
  openLab,
  picture,
  test
} from '../harness/lab';

/** A rule such as sites have; only a job that fills its memory comes near it. */
const RULE = [
  'SYSTEM_PERIODIC_HOLD = JobStatus == 2 && ResidentSetSize > 600 * RequestMemory',
  'SYSTEM_PERIODIC_HOLD_REASON = "memory above what this pool allows"',
  ''
].join('\n');

/** Keeps its step; then, at its first start, takes too much memory and never ends. */
const GREEDY = `import os, time
from pathlib import Path
kept = Path(os.environ["MLINFN_CHECKPOINTS"]) / "step"
before = kept.read_text() if kept.exists() else "the start"
print("went on from", before)
kept.parent.mkdir(parents=True, exist_ok=True)
kept.write_text("step 7")
much = before == "the start" and b"x" * (800 << 20)
while much:
    time.sleep(1)`;

/** A held job says why, and goes on with what its dialog offers. */
async function releaseWithMore(page: Page): Promise<void> {
  await command(page, 'mlinfn:submit', { path: 'greedy.ipynb' });
  const open = await form(page);
  await open.getByLabel('Place').selectOption('HTCondor');
  await open.getByLabel('Memory', { exact: true }).fill('1 GiB');
  await open.getByText('Advanced').click();
  await open.getByLabel('May be interrupted and started again').check();
  const id = await submit(page);
  const held = await row(page, id);
  await expect(held).toContainText('used more memory than it asked for', {
    timeout: 300_000
  });
  const tab = await openJob(page, id);
  await held.getByRole('button', { name: 'Release…' }).click();
  const release = page.getByRole('dialog', { name: 'Release greedy' });
  const memory = release.getByLabel('Memory');
  await expect(memory).toBeFocused();
  await expect(memory).toHaveValue('2.0 GiB');
  await expect(release).toContainText(
    /Now 1.0 GiB; it had used [0-9.]+ [GM]iB/
  );
  await noAxeViolations(page, '.jp-Mlinfn-dialog');
  await picture(page, 'release');
  await memory.press('Enter');
  await expect(release).toHaveCount(0);
  await shows(page, id, 'succeeded', 300);
  await expect(tab).toContainText('Memory 1.0 GiB → 2.0 GiB');
  await expect(tab.getByLabel('Log of the job')).toContainText('from step 7');
  await look(page, 'job-released');
}

test('a notebook goes to HTCondor, and one that is held is let go with more', async ({
  page,
  ownPlace,
  system
}) => {
  const pool = await system('HTCondor', RULE);
  test.skip(pool === null, 'no HTCondor can be had here');
  const place = await ownPlace({ settings: pool?.settings });
  place.notebook('greedy.ipynb', [GREEDY]);
  await openLab(page, place, 'train.ipynb');
  const open = await openForm(page);
  const outlook = () => open.locator('.jp-Mlinfn-outlook');
  await open.getByLabel('Place').selectOption('HTCondor');
  await expect(open).toContainText('Models: NVIDIA A100, Tesla T4.');
  await open.getByLabel('GPUs').fill('7');
  await expect(outlook()).toContainText('2 GPUs, not 7');
  await open.getByLabel('GPUs').fill('1');
  await expect(outlook()).toContainText('room in this HTCondor pool now');
  await noAxeViolations(page, '.jp-Mlinfn-submit');
  await open.getByLabel('Charge to').scrollIntoViewIfNeeded();
  await look(page, 'submit-htcondor');
  const away = await submit(page);
  await expect(await row(page, away)).toContainText('htcondor');
  await shows(page, away, 'succeeded', 300);
  const tab = await openJob(page, away);
  await expect(tab).toContainText(/HTCondor · (pool · )?\d+/);
  await look(page, 'job-htcondor');
  await releaseWithMore(page);
});
