/**
 * Where a job runs: a site's own batch system beside this machine, chosen in the form.
 */
import * as fs from 'fs';
import * as path from 'path';

import { form, openForm, openJob, row, submit } from '../harness/jobs';
import {
  expect,
  leftWidth,
  look,
  noAxeViolations,
  noSidewaysScroll,
  openLab,
  test
} from '../harness/lab';
import { CHECKOUT } from '../harness/paths';

/** A batch system over folders that a site announced by entry point. */
function withFarm(base: string): string[] {
  const site = path.join(base, 'site');
  return [
    'import sys',
    `sys.path.append(${JSON.stringify(CHECKOUT)})`,
    'import pathlib, tests.systems.farm as farm',
    `site = pathlib.Path(${JSON.stringify(site)})`,
    'sys.path.append(str(site if site.exists() else farm.install(site)))'
  ];
}

test('a job goes to the queue that was chosen, and says where it is and why it waits', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace({ settings: withFarm });
  await openLab(page, place, 'train.ipynb');
  let open = await openForm(page);
  const outlook = () => open.locator('.jp-Mlinfn-outlook');
  await expect(open.getByLabel('Place')).toHaveValue('auto');
  await expect(open.getByLabel('Queue')).toHaveCount(0);
  await expect(outlook()).toContainText('Goes to this machine: starts now.');
  const said = open.getByLabel('When it would start');
  await expect(said.locator('[aria-current]')).toContainText('starts now');
  await expect(said).toContainText(/The farm\s*3 before it/);
  await said.scrollIntoViewIfNeeded();
  await noAxeViolations(page, '.jp-Mlinfn-submit');
  await look(page, 'submit-auto');

  await open.getByLabel('Place').selectOption('The farm');
  await expect(outlook()).toContainText('Would wait in normal behind 3 jobs.');
  await expect(open).toContainText('Up to 2 here. Models: a100.');
  await open.getByLabel('Queue').selectOption('opportunistic');
  await expect(outlook()).toContainText('Would start now in opportunistic.');
  await expect(open).toContainText('interrupted when others need the room');
  await open.getByLabel('Charge to').fill('atlas');
  await expect(outlook()).toContainText('There is: cms.');
  await open.getByLabel('Charge to').fill('cms');
  await expect(outlook()).toHaveAttribute('data-ok', 'true');
  await open.getByLabel('Charge to').scrollIntoViewIfNeeded();
  await noAxeViolations(page, '.jp-Mlinfn-submit');
  await look(page, 'submit-place');
  const id = await submit(page);

  const line = await row(page, id);
  await expect(line).toContainText('farm/opportunistic');
  await expect(line).toContainText('3 jobs are before this one.');
  await leftWidth(page, 240);
  await noSidewaysScroll(page, '#mlinfn-jobs-panel');
  await look(page, 'job-elsewhere-240');
  await leftWidth(page, 400);
  const tab = await openJob(page, id);
  await expect(tab).toContainText('farm · opportunistic · 1234');
  await expect(tab).toContainText('Charged to');
  await look(page, 'job-elsewhere');

  await page.getByRole('tab', { name: 'train.ipynb' }).click();
  open = await openForm(page);
  await expect(open.getByLabel('Queue')).toHaveValue('opportunistic');
  await expect(open.getByLabel('Charge to')).toHaveValue('cms');
  await open.getByRole('button', { name: 'Close' }).click();

  fs.writeFileSync(path.join(place.base, 'data/mlinfn/farm/silent'), '');
  await openForm(page);
  open = await form(page);
  await expect(open.getByLabel('Place')).toContainText(
    'The farm (does not answer)'
  );
  await expect(open).toContainText('waits until it answers');
  await expect(outlook()).toContainText('Waits until the farm answers.');
  await look(page, 'submit-silent');
  fs.rmSync(path.join(place.base, 'data/mlinfn/farm/silent'));
});
