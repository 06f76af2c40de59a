/** An environment that somebody changed by hand, and what is kept, shared and freed. */
import * as fs from 'fs';
import * as path from 'path';

import {
  chooseFromMenu,
  dialog,
  environment,
  ENVIRONMENTS,
  makeChannel,
  pressInRow,
  withChannel
} from '../harness/environments';
import { form, shows } from '../harness/jobs';
import {
  expect,
  leftWidth,
  look,
  noAxeViolations,
  openLab,
  showPanel,
  test
} from '../harness/lab';

/** The one file of a folder whose path ends so. */
function find(folder: string, end: string): string {
  const found = fs.readdirSync(folder, { recursive: true }).map(String);
  return path.join(folder, found.find(name => name.endsWith(end)) ?? '');
}

test.beforeAll(async () => {
  await makeChannel();
});

test('locked files come back and the job runs; lock, share, free space', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace({ settings: withChannel });
  await place.mlinfn('env', 'create', 'mine', 'python', 'ipykernel', '--yes');
  const own = path.join(place.base, 'data/mlinfn/environments/own/mine');
  const edited = find(path.join(own, 'prefixes'), '/textwrap.py');
  const text = fs.readFileSync(edited, 'utf8');
  fs.rmSync(edited);
  fs.writeFileSync(edited, `${text}\n# mine\n`);
  place.notebook('plain.ipynb', ['print(6 * 7)']);
  await openLab(page, place, 'plain.ipynb');
  await showPanel(page, ENVIRONMENTS);
  await leftWidth(page, 400);

  await pressInRow(page, 'mine', /^Use for job/);
  const open = await form(page);
  const button = open.getByRole('button', {
    name: 'Put the locked files back and submit'
  });
  await expect(button).toBeEnabled();
  await expect(open).toContainText('textwrap.py');
  await look(page, 'submit-environment-changed');
  await noAxeViolations(page, '.jp-Mlinfn-dialog');
  await button.click();
  await expect(open).toContainText('keep this page open');
  await look(page, 'submit-environment-mending');
  await expect(open).toHaveCount(0);
  await shows(page, (await place.newest()).id, 'succeeded');
  expect(fs.readFileSync(edited, 'utf8')).toBe(text);
  const kept = find(path.join(own, 'edited'), '/textwrap.py');
  expect(fs.readFileSync(kept, 'utf8')).toContain('# mine');

  await showPanel(page, ENVIRONMENTS);
  await chooseFromMenu(page, 'mine', 'Lock and Export…');
  const lock = dialog(page, 'Lock of mine');
  await lock.getByLabel('linux-aarch64').check();
  await lock.getByRole('button', { name: 'Lock for these platforms' }).click();
  await expect(lock).toContainText('is locked for linux-64, linux-aarch64');
  await expect(lock).toContainText('platform: linux-aarch64');
  await look(page, 'environment-lock-platforms');
  await lock.getByRole('button', { name: 'Close' }).click();

  const area = path.join(place.base, 'area');
  fs.mkdirSync(area);
  await chooseFromMenu(page, 'mine', 'Share…');
  const share = dialog(page, 'Share mine');
  await expect(share.getByLabel('Pack it first')).toBeChecked();
  await share.getByLabel('Folder').fill(area);
  await look(page, 'environment-share');
  await share.getByRole('button', { name: 'Share', exact: true }).click();
  await expect(share).toContainText('is shared: its lock and its packed file');
  await look(page, 'environment-shared');
  expect(fs.readdirSync(path.join(area, 'mine', 'images'))).toHaveLength(1);
  await share.getByRole('button', { name: 'Close' }).click();
  await expect(environment(page, 'mine')).toContainText('packed ✓');

  await page.getByRole('button', { name: 'Free space…' }).click();
  const free = dialog(page, 'Free space');
  await free.getByRole('button', { name: /^Free / }).click();
  await expect(free).toContainText(/(is|are) gone/);
  await look(page, 'environments-space-freed');
  await noAxeViolations(page, '.jp-Mlinfn-dialog');
  await free.getByRole('button', { name: 'Close' }).click();
  expect(fs.readFileSync(kept, 'utf8')).toContain('# mine');
});
