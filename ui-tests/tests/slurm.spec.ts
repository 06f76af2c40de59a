/**
 * The form knows a real Slurm and its queues, and remembers what was chosen.
 */
import { openForm, openJob, row, shows, submit } from '../harness/jobs';
import {
  expect,
  look,
  noAxeViolations,
  openLab,
  picture,
  test
} from '../harness/lab';

test('a notebook goes to a queue of Slurm', async ({
  page,
  ownPlace,
  system
}) => {
  const cluster = await system('Slurm');
  test.skip(cluster === null, 'no Slurm can be had here');
  const place = await ownPlace({ settings: cluster?.settings });
  await openLab(page, place, 'train.ipynb');
  let open = await openForm(page);
  const outlook = () => open.locator('.jp-Mlinfn-outlook');
  await expect(open.getByLabel('Place')).toHaveValue('auto');
  await expect(outlook()).toContainText('Goes to this machine: starts now.');
  await open.getByLabel('GPU memory').fill('90 GiB');
  await expect(outlook()).toContainText('the largest is t4 with 16.0 GiB');
  await open.getByLabel('GPU memory').fill('10 GiB');
  await expect(open.getByLabel('GPUs')).toHaveValue('1');
  await expect(outlook()).toContainText('Goes to Slurm: starts now.');
  await noAxeViolations(page, '.jp-Mlinfn-submit');
  await open.getByLabel('When it would start').scrollIntoViewIfNeeded();
  await picture(page, 'submit-automatic', {
    x: 430,
    y: 0,
    width: 540,
    height: 900
  });
  await open.getByLabel('GPU memory').fill('');
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
  await shows(page, away, 'succeeded', 300);
  const tab = await openJob(page, away);
  await expect(tab).toContainText(/Slurm · opportunistic · \d+/);
  await look(page, 'job-slurm');

  await page.getByRole('tab', { name: 'train.ipynb' }).first().click();
  open = await openForm(page);
  await expect(open.getByLabel('Queue')).toHaveValue('opportunistic');
});
