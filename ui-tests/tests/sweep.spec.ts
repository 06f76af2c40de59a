/** A hundred points on a real Slurm: from the form to the table, the plot and the failed ones. */
import type { Locator, Page } from '@playwright/test';

import { openForm, openJob, row, submit } from '../harness/jobs';
import {
  command,
  expect,
  leftWidth,
  look,
  noAxeViolations,
  noSidewaysScroll,
  openLab,
  picture,
  test,
  theme
} from '../harness/lab';

const CODE = [
  'import math, mlinfn\nfrom pathlib import Path\n' +
    'if seed == 7 and not Path("mended").exists():\n' +
    '    raise ValueError(f"no events for seed {seed}")',
  'loss = abs(math.log10(lr) + 2) + 0.3 * (1 + math.sin(seed))\n' +
    'print(f"lr {lr} seed {seed} loss {loss:.4f}")\n' +
    'mlinfn.record(loss=loss, accuracy=1 / (1 + loss))'
];

async function vary(
  open: Locator,
  page: Page,
  name: string,
  values: string
): Promise<void> {
  await open.getByRole('button', { name: /several values|another/ }).click();
  await open.getByLabel('Parameter to vary').last().fill(name);
  await page.getByRole('textbox', { name: `Values of ${name}` }).fill(values);
}

test('a sweep of 100 points on Slurm fills the table and the plot', async ({
  page,
  ownPlace,
  system
}) => {
  test.setTimeout(1_800_000);
  const cluster = await system('Slurm');
  test.skip(cluster === null, 'no Slurm can be had here');
  const place = await ownPlace({ settings: cluster?.settings });
  place.notebook('scan.ipynb', ['lr = 0.1\nseed = 0', ...CODE], {
    parameters: true
  });
  await openLab(page, place, 'scan.ipynb');
  const open = await openForm(page);
  await open.getByLabel('Place').selectOption('Slurm');
  await vary(open, page, 'lr', '1, fast');
  await expect(open).toContainText(/Value 2 of lr/);
  await look(page, 'sweep-form-wrong');
  await page
    .getByRole('textbox', { name: 'Values of lr' })
    .fill('1, 0.1, 0.01, 0.001');
  await expect(open).toContainText('4 points: lr=1');
  await vary(open, page, 'seed', '0..24');
  await expect(open).toContainText('100 points:');
  await noAxeViolations(page, '.jp-Mlinfn-submit');
  await picture(page, 'sweep-form');
  const id = await submit(page);

  await expect(await row(page, id)).toContainText('100 points');
  const tab = await openJob(page, id, 'Sweep');
  await expect(tab.locator('.jp-Mlinfn-sweepBar')).toBeVisible();
  await expect(tab).toContainText(/[1-9]\d* done/, { timeout: 300_000 });
  await look(page, 'sweep-running');
  await expect(await row(page, id)).toHaveAttribute('data-state', 'failed', {
    timeout: 1_200_000
  });
  await expect(tab).toContainText('100 points: 96 done · 4 failed');

  // the table: every point has its values, sorted as asked, found and filtered
  const rows = tab.locator('[data-point]');
  await expect(rows.first()).toContainText('succeeded');
  await tab
    .getByRole('columnheader', { name: 'loss' })
    .getByRole('button')
    .click();
  await expect(rows.first()).toContainText('0.01');
  await tab.getByLabel('Show points in these states').selectOption('Failed');
  await expect(rows).toHaveCount(4);
  await tab
    .getByLabel('Show points in these states')
    .selectOption('All states');
  await tab.getByRole('searchbox').fill('0.001');
  await expect.poll(() => rows.count()).toBeGreaterThan(4);
  await expect(rows.first()).toContainText('0.001');
  await tab.getByRole('searchbox').fill('');

  await expect(tab).toContainText(/It cost [0-9.]+ CPU-hours in 100 starts/);

  // the plot
  const chart = tab.locator('.jp-Mlinfn-chart');
  await expect(chart).toHaveAttribute('aria-label', /^96 points, /);
  await tab.getByLabel('Plot', { exact: true }).selectOption('loss');
  await tab.getByLabel('Logarithmic').check();
  await expect(chart.locator('canvas')).toBeVisible();
  await leftWidth(page, 320);
  await chart.scrollIntoViewIfNeeded();
  await page.waitForTimeout(500);
  await picture(page, 'sweep-plot');
  await noAxeViolations(page, `#mlinfn-job-tab-${id}`);

  // one point looked at closer
  await tab.getByLabel('Show points in these states').selectOption('Failed');
  await expect(rows).toHaveCount(4);
  await rows.first().click();
  const point = tab.getByRole('region', { name: /^Point / });
  await expect(point).toContainText('no events for seed 7');
  await point.scrollIntoViewIfNeeded();
  await picture(page, 'sweep-point');
  await noAxeViolations(page, `#mlinfn-job-tab-${id}`);

  await rows
    .first()
    .getByRole('button', { name: /^Notebook of point / })
    .click();
  const notebook = page.locator('.jp-NotebookPanel:not(.lm-mod-hidden)', {
    hasText: 'follows the job'
  });
  await expect(notebook).toContainText('no events for seed 7');
  await command(page, 'application:close');
  await expect(notebook).toHaveCount(0);

  // the file
  const download = page.waitForEvent('download');
  await tab.getByRole('button', { name: 'Save as CSV' }).click();
  expect((await download).suggestedFilename()).toBe(`scan-${id}-points.csv`);

  await theme(page, 'Dark');
  await look(page, 'sweep-dark');
  await noAxeViolations(page, `#mlinfn-job-tab-${id}`);
  await theme(page, 'Light');
  await leftWidth(page, 240);
  await noSidewaysScroll(page, '#mlinfn-jobs-panel');
  await look(page, 'sweep-240');

  // only what failed runs again
  place.write('mended', '');
  const again = page.waitForResponse(/\/rerun$/);
  await tab
    .getByRole('button', {
      name: 'Rerun only the 4 points that did not succeed'
    })
    .click();
  const rerun = await (await again).json();
  expect(rerun.sweep.points).toBe(4);
  await expect(await row(page, rerun.id)).toHaveAttribute(
    'data-state',
    'succeeded',
    { timeout: 300_000 }
  );
});
