/** Buckets: a person's objects in a store that is reached by S3 alone. */
import * as fs from 'fs';

import {
  expect as sooner,
  leftWidth,
  look,
  noAxeViolations,
  noSidewaysScroll,
  openLab,
  picture,
  showPanel,
  test as plain,
  theme
} from '../harness/lab';
import { ObjectStore } from '../harness/objectstore';

// the first answer of a server on a loaded machine, and one that a store has to be waited for
const expect = sooner.configure({ timeout: 180_000 });

const STORAGE = 'mlinfn-storage-panel';
const PANEL = `#${STORAGE}`;
const DIALOG = 'dialog.jp-Mlinfn-dialog';
const LONG =
  'Bs2JpsiPhi_2018_MagDown_Stripping34r0p1_selected_with_refitted_vertices_and_momentum_scaling_v3.root';
const RUNS = Array.from(
  { length: 12 },
  (_, index) => `runs/2026/fit-${String(index + 1).padStart(3, '0')}.root`
);

const test = plain.extend<{ store: ObjectStore | null }>({
  store: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const store = await ObjectStore.start({
        [LONG]: 2_700_000,
        'limits.csv': 12,
        'empty/': 0,
        ...Object.fromEntries(RUNS.map(name => [name, 48_000]))
      });
      await use(store);
      await store?.stop();
    },
    { timeout: 300_000 }
  ]
});

test('a bucket: no keys, then keys; find, put in, save, delete; a store that went away', async ({
  page,
  store,
  ownPlace
}) => {
  test.skip(!store, 'There is no S3 gateway.');
  if (!store) {
    return;
  }
  const told = {
    name: 'objects',
    title: 'Your objects',
    kind: 'bucket',
    path: '',
    writable: true,
    survives: true,
    audience: 'you',
    batch: ['slurm'],
    ...store.area
  };
  const json = JSON.stringify(JSON.stringify([told]));
  const place = await ownPlace({
    settings: () => ['import json', `c.Mlinfn.areas = json.loads(${json})`]
  });

  await openLab(page, place);
  await showPanel(page, STORAGE);
  await leftWidth(page, 400);
  const area = page.locator(PANEL).locator('[data-name=objects]');
  await expect(area).toContainText('come by way of a hub');
  await expect(area.getByRole('button', { name: /^Look into/ })).toHaveCount(0);
  await look(page, 'bucket-without-keys');
  await noAxeViolations(page, PANEL);

  await store.giveKeys(place);
  await expect(async () => {
    await page
      .locator(PANEL)
      .getByRole('button', { name: 'Look again' })
      .click();
    await expect(area).toContainText(/1[45] objects, counted/, {
      timeout: 3000
    });
  }).toPass();
  await expect(area).toContainText('3.1 MiB');
  await expect(area).toContainText('by S3 alone (slurm)');
  await look(page, 'bucket-area');

  await area.getByRole('button', { name: 'Look into Your objects' }).click();
  const dialog = page.getByRole('dialog', { name: 'Your objects' });
  const list = dialog.getByRole('list', { name: 'Objects' });
  await expect(list).toContainText(LONG);
  await expect(list.getByRole('listitem')).toHaveText([
    /empty\//,
    /runs\//,
    /2\.6 MiB/,
    /^limits\.csv12 B/
  ]);
  await noAxeViolations(page, DIALOG);
  await picture(page, 'storage-bucket');

  // by keyboard, down two folders; the store looks for what begins so
  await list.getByRole('button', { name: 'runs/' }).press('Enter');
  await list.getByRole('button', { name: '2026/' }).press('Enter');
  await expect(list.getByRole('listitem')).toHaveCount(RUNS.length);
  await expect(list).toContainText('46.9 KiB');
  const search = dialog.getByLabel('Names that begin with');
  await search.fill('fit-01');
  await expect(list.getByRole('listitem')).toHaveCount(3);
  await look(page, 'bucket-search');
  await search.fill('fit-9');
  await expect(dialog).toContainText('No name begins with ‘fit-9’ here.');

  const way = dialog.getByRole('navigation', { name: 'Folder' });
  await way.getByRole('button', { name: 'Top folder' }).click();
  await list.getByRole('button', { name: 'empty/' }).click();
  await expect(dialog).toContainText('This folder is empty. Upload…');
  await look(page, 'bucket-empty');

  const upload = dialog.getByLabel('A file to upload');
  const file = (text: string) => ({
    name: 'scan.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(text)
  });
  await upload.setInputFiles(file('lr,loss\n'));
  await expect(list).toContainText('scan.csv');
  await upload.setInputFiles(file('lr,loss\n0.1,7\n'));
  await expect(dialog.getByRole('status')).toContainText(
    'There is a scan.csv already. Write over it?'
  );
  await look(page, 'bucket-taken');
  await dialog.getByRole('button', { name: 'Replace' }).click();
  await expect(list).toContainText('14 B');
  const saved = page.waitForEvent('download');
  await list.getByRole('link', { name: 'Download scan.csv' }).click();
  const where = await (await saved).path();
  expect(fs.readFileSync(where, 'utf-8')).toBe('lr,loss\n0.1,7\n');
  await list.getByRole('button', { name: 'Delete scan.csv…' }).click();
  await noAxeViolations(page, DIALOG);
  await list
    .getByRole('button', { name: 'Delete scan.csv for ever' })
    .press('Enter');
  await expect(dialog).toContainText('This folder is empty.');

  await store.away();
  await way.getByRole('button', { name: 'Top folder' }).click();
  await expect(dialog.getByRole('alert')).toContainText(
    'does not answer (nobody is reached there)'
  );
  await look(page, 'bucket-away');
  await noAxeViolations(page, DIALOG);
  await store.back();
  await dialog.getByRole('button', { name: 'Retry' }).click();
  await expect(list).toContainText('limits.csv');

  await theme(page, 'Dark');
  await noAxeViolations(page, DIALOG);
  await look(page, 'bucket-dark');
  await page.setViewportSize({ width: 320, height: 640 });
  await noSidewaysScroll(page, DIALOG);
  await look(page, 'bucket-320');
  await page.setViewportSize({ width: 1400, height: 900 });
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await leftWidth(page, 240);
  await noSidewaysScroll(page, PANEL);
  await look(page, 'bucket-240');
});
