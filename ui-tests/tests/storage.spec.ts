/** Storage: the one folder without a hub; a group's area, its notes and its backups. */
import * as fs from 'fs';
import * as path from 'path';

import {
  expect,
  leftWidth,
  look,
  noAxeViolations,
  noSidewaysScroll,
  openLab,
  picture,
  showPanel,
  test,
  theme
} from '../harness/lab';

const STORAGE = 'mlinfn-storage-panel';
const PANEL = `#${STORAGE}`;

/** Areas as a hub tells them, in the settings of this server. */
function areas(base: string): string[] {
  const root = path.join(base, 'work');
  const told = [
    {
      name: 'private',
      title: 'Private',
      kind: 'private',
      path: root,
      audience: 'you'
    },
    {
      name: 'lhcb',
      title: 'LHCb group',
      kind: 'collabspace',
      path: path.join(root, 'lhcb'),
      audience: 'group',
      group: 'users/lhcb',
      batch: ['slurm'],
      quota: 20 * 1024 * 1024,
      snapshots: `${base}/backups`
    },
    {
      name: 'cvmfs',
      title: 'Software (CVMFS)',
      kind: 'cvmfs',
      path: `${base}/cvmfs`,
      audience: 'everyone',
      writable: false
    }
  ].map(one => ({ writable: true, survives: true, ...one }));
  const json = JSON.stringify(JSON.stringify(told));
  return ['import json', `c.Mlinfn.areas = json.loads(${json})`];
}

test('without a hub: the one folder there is, calmly', async ({
  page,
  place
}) => {
  await openLab(page, place);
  await showPanel(page, STORAGE);
  const panel = page.locator(PANEL);
  await expect(panel).toContainText('Your files');
  await expect(panel).toContainText(place.root);
  await expect(panel).toContainText('of the file system');
  await expect(panel.getByRole('alert')).toHaveCount(0);
  await expect(panel.getByRole('button', { name: /^Backups/ })).toHaveCount(0);
  await look(page, 'storage-alone');
});

test('deleted by mistake: two clicks, and the work is back', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace({ settings: areas });
  const group = path.join(place.root, 'lhcb');
  place.write('lhcb/analysis/fit.py', 'print("the work of a week")\n');
  place.write('lhcb/notes.txt', 'as it was\n');
  await place.mlinfn(
    'backups',
    'make',
    group,
    '--to',
    path.join(place.base, 'backups')
  );
  fs.rmSync(path.join(group, 'analysis'), { recursive: true });
  place.write('lhcb/notes.txt', 'as it is now\n');

  await openLab(page, place);
  await showPanel(page, STORAGE);
  await leftWidth(page, 400);
  const panel = page.locator(PANEL);
  const area = panel.locator('[data-name=lhcb]');
  await expect(area).toContainText('seen by your group users/lhcb');
  await expect(area).toContainText('seen by batch nodes (slurm)');
  await expect(area).toContainText(/of the quota/);
  await expect(area).toContainText('1 copy');
  // CVMFS is not mounted on this machine: said, and nothing else suffers
  await expect(panel.locator('[data-name=cvmfs]')).toContainText(
    'is not there'
  );

  await area.getByRole('button', { name: 'Say what you work on…' }).click();
  await area.getByLabel('What you work on').fill('<b>fitting</b> 2025 data');
  await area.getByLabel(/File or folder/).fill('analysis');
  await area.getByRole('button', { name: 'Tell the group' }).click();
  await expect(area).toContainText(
    'In use by you (analysis): <b>fitting</b> 2025 data'
  );
  await picture(page, 'storage', { x: 0, y: 28, width: 440, height: 640 });
  await noAxeViolations(page, PANEL);

  await area.getByRole('button', { name: 'Backups of LHCb group' }).click();
  const dialog = page.getByRole('dialog', { name: 'Backups of LHCb group' });
  const gone = dialog.getByRole('list', { name: 'Deleted since then' });
  await expect(gone).toContainText('analysis/');
  await picture(page, 'storage-backups', {
    x: 400,
    y: 100,
    width: 600,
    height: 700
  });
  await noAxeViolations(page, 'dialog.jp-Mlinfn-dialog');
  await gone.getByRole('button', { name: 'Restore analysis' }).click();
  await expect(dialog.getByRole('status')).toContainText('analysis is back');
  await expect(gone).toHaveCount(0);
  expect(place.read('lhcb/analysis/fit.py')).toContain('the work of a week');

  const all = dialog.getByRole('list', { name: 'Files of the copy' });
  await all.getByRole('button', { name: 'Restore beside: notes.txt' }).click();
  await expect(dialog.getByRole('status')).toContainText('(restored 20');
  expect(place.read('lhcb/notes.txt')).toBe('as it is now\n');
  await all.getByRole('button', { name: 'Replace notes.txt' }).click();
  await expect(dialog.getByRole('status')).toContainText('is kept in');
  expect(place.read('lhcb/notes.txt')).toBe('as it was\n');
  await all.getByRole('button', { name: 'analysis/', exact: true }).click();
  await expect(all).toContainText('fit.py');
  await look(page, 'storage-restored');
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);

  await area.getByRole('button', { name: /^Remove your note/ }).click();
  await expect(area).not.toContainText('In use by');
  await area
    .getByRole('button', { name: 'Open LHCb group in the file browser' })
    .click();
  const browser = page.locator('#filebrowser');
  await expect(browser.getByText('notes.txt', { exact: true })).toBeVisible();

  await showPanel(page, STORAGE);
  await leftWidth(page, 240);
  await noSidewaysScroll(page, PANEL);
  await look(page, 'storage-240');
  await theme(page, 'Dark');
  await look(page, 'storage-dark');
  await noAxeViolations(page, PANEL);
});
