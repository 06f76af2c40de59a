/**
 * The same notebook and form, here and on a real Slurm.
 */
import { openForm, openJob, row, shows, submit } from '../harness/jobs';
import { expect, look, noAxeViolations, openLab, test } from '../harness/lab';
import type { Place } from '../harness/place';
import { Slurm } from '../harness/slurm';

/** What the cells of a job's notebook printed, without times. */
async function printed(place: Place, id: string): Promise<string[]> {
  const job = await place.job(id, 'succeeded');
  const { cells } = JSON.parse(place.read(job.output ?? ''));
  return cells
    .flatMap((cell: { outputs?: { text?: string[] }[] }) => cell.outputs ?? [])
    .flatMap((output: { text?: string[] }) => output.text ?? [])
    .filter((line: string) => /loss|accuracy/.test(line));
}

test('a notebook goes to Slurm and to this machine without an edit', async ({
  page,
  ownPlace
}) => {
  test.setTimeout(180_000);
  const cluster = await Slurm.start();
  test.skip(cluster === null, 'no Slurm can be had here');
  try {
    const place = await ownPlace({ settings: cluster?.settings });
    await openLab(page, place, 'train.ipynb');
    let open = await openForm(page);
    await open.getByLabel('Place').selectOption('Slurm');
    await expect(open.getByLabel('Queue')).toContainText('normal (default)');
    await open.getByLabel('Queue').selectOption('opportunistic');
    await expect(open).toContainText('Models: t4.');
    await open.getByLabel('GPUs').fill('7');
    await expect(open.locator('.jp-Mlinfn-outlook')).toContainText(
      '2 GPUs, not 7'
    );
    await open.getByLabel('GPUs').fill('1');
    await expect(open.locator('.jp-Mlinfn-outlook')).toContainText(
      'room in the queue opportunistic of Slurm'
    );
    await noAxeViolations(page, '.jp-Mlinfn-submit');
    await open.getByLabel('Charge to').scrollIntoViewIfNeeded();
    await look(page, 'submit-slurm');
    const away = await submit(page);
    await expect(await row(page, away)).toContainText('slurm/opportunistic');
    await shows(page, away, 'succeeded', 90);
    const tab = await openJob(page, away);
    await expect(tab).toContainText(/Slurm · opportunistic · \d+/);
    await look(page, 'job-slurm');

    await page.getByRole('tab', { name: 'train.ipynb' }).first().click();
    open = await openForm(page);
    await expect(open.getByLabel('Queue')).toHaveValue('opportunistic');
    await open.getByLabel('Place').selectOption('This machine');
    await open.getByLabel('GPUs').fill('0');
    const here = await submit(page);
    await shows(page, here, 'succeeded', 90);
    const lines = await printed(place, away);
    expect(lines.length).toBeGreaterThan(0);
    expect(await printed(place, here)).toEqual(lines);
  } finally {
    await cluster?.stop();
  }
});
