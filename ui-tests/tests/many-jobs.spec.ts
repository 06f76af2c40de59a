/** Ten thousand jobs: found, grouped, chosen and worked on, by mouse and by keyboard. */
import type { Locator, Page } from '@playwright/test';
import { execFileSync } from 'child_process';
import * as path from 'path';

import { JOBS } from '../harness/jobs';
import {
  expect,
  labReady,
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
import { CHECKOUT } from '../harness/paths';
import type { Place } from '../harness/place';

const MANY = 10_000;

/** Write the jobs into the index of a place. */
function fill(place: Place): void {
  const folder = path.join(place.base, 'data', 'mlinfn');
  execFileSync(place.python, ['-m', 'tests.jobs.many', folder, String(MANY)], {
    cwd: CHECKOUT,
    env: place.env()
  });
}

async function panelOf(page: Page, width: number): Promise<Locator> {
  await showPanel(page, JOBS);
  await leftWidth(page, width);
  return page.locator(`#${JOBS}`);
}

/** The number in the head of a group. */
async function number(panel: Locator, group: string): Promise<string> {
  const head = panel.locator(`[data-group="${group}"] .jp-Mlinfn-numbers`);
  return (await head.textContent()) ?? '';
}

test('ten thousand jobs are found, chosen and worked on', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace({});
  fill(place);
  await openLab(page, place);
  const panel = await panelOf(page, 400);
  const rows = panel.locator('[data-job-id]');

  await expect(panel).toContainText('Failed 333');
  expect(await rows.count()).toBeLessThan(60);
  await look(page, 'jobs-many');
  await noAxeViolations(page, `#${JOBS}`);

  // a closed group costs nothing to pass, and an open one is read on while one scrolls
  await panel.locator('[data-group="failed"]').click();
  await expect(panel.locator('[data-group="failed"]')).toHaveAttribute(
    'aria-expanded',
    'false'
  );
  await expect.poll(() => number(panel, 'succeeded')).toBe('9,334');
  const end = () =>
    panel.evaluate(node => (node.scrollTop = node.scrollHeight));
  const states = panel.getByLabel('Show jobs in these states');
  await states.selectOption('Succeeded');
  await expect(panel.locator('[data-group]')).toHaveCount(1);
  await expect.poll(end).toBeGreaterThan(15_000);
  expect(await rows.count()).toBeLessThan(80);
  await panel.evaluate(node => (node.scrollTop = 0));
  await states.selectOption('All states');

  // the server searches and filters
  await rows.first().focus();
  await page.keyboard.press('/');
  await page.keyboard.type('fit-7.ipynb');
  await expect.poll(() => number(panel, 'succeeded')).toBe('100');
  await panel.getByRole('button', { name: 'More filters' }).click();
  await panel.getByLabel('Place').selectOption('slurm');
  await expect.poll(() => number(panel, 'succeeded')).toBe('34');
  await panel.getByLabel('Submitted').selectOption('Last 24 hours');
  await expect.poll(() => number(panel, 'succeeded')).toBe('5');
  await look(page, 'jobs-many-filtered');
  await noAxeViolations(page, `#${JOBS}`);

  // the list comes back with the page
  const workspaces = place.address('lab/api/workspaces');
  const kept = async () => (await page.request.get(workspaces)).text();
  await expect.poll(kept).toMatch(/search=fit-7.ipynb&place=slurm&within=\d+/);
  await page.goto(place.address('lab'));
  await labReady(page);
  await expect(page.locator('.jp-Launcher')).toBeVisible(); // it takes the focus
  await panelOf(page, 400);
  await expect(panel.getByRole('searchbox')).toHaveValue('fit-7.ipynb');
  await expect.poll(() => number(panel, 'succeeded')).toBe('5');
  await panel.getByRole('button', { name: 'Show all jobs' }).click();

  // choose by keyboard
  await panel.locator('[data-group="failed"]').focus();
  await page.keyboard.press('ArrowRight');
  await expect(rows.first()).toHaveAttribute('data-state', 'failed');
  await page.keyboard.press('ArrowDown');
  await expect(rows.first()).toBeFocused();
  await page.keyboard.press('Shift+ArrowDown');
  await page.keyboard.press('Shift+ArrowDown');
  await expect(panel.getByRole('toolbar')).toContainText('3 jobs chosen');
  await picture(page, 'jobs-many', { x: 0, y: 0, width: 520, height: 900 });
  await noAxeViolations(page, `#${JOBS}`);
  await page.keyboard.press('Delete');
  let dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('Delete 3 jobs?');
  await dialog.getByRole('button', { name: 'Delete 3 jobs' }).click();
  await expect(dialog).toContainText('3 jobs deleted.');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await expect.poll(() => number(panel, 'failed')).toBe('330');

  // all that match, also those that were never loaded
  await states.selectOption('Cancelled');
  await expect.poll(() => number(panel, 'cancelled')).toBe('333');
  await rows.first().focus();
  await page.keyboard.press('Control+a');
  await expect(panel.getByRole('toolbar')).toContainText(
    'All 333 jobs that match'
  );
  await panel.getByRole('button', { name: 'Rerun…' }).click();
  dialog = page.getByRole('dialog');
  await look(page, 'jobs-many-rerun');
  await noAxeViolations(page, 'dialog');
  await dialog.getByRole('button', { name: 'Rerun 333 jobs' }).click();
  // their folders were never there: each says so, and none is lost silently
  await expect(dialog).toContainText('333 jobs stayed as they were');
  await expect(dialog).toContainText('0 of 333 jobs submitted again.');
  await look(page, 'jobs-many-failed');
  await noAxeViolations(page, 'dialog');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await rows.first().focus();
  await page.keyboard.press('Control+a');
  await panel.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Delete 333 jobs' }).click();
  await expect(dialog).toContainText('333 jobs deleted.');
  await dialog.getByRole('button', { name: 'Close' }).click();
  await expect(panel).toContainText('No job is like this');

  // narrow, and dark
  await panel.getByRole('button', { name: 'Show all jobs' }).first().click();
  await states.selectOption('Failed');
  await panelOf(page, 240);
  await expect(rows.first()).toBeVisible();
  await rows.first().focus();
  await page.keyboard.press(' ');
  await look(page, 'jobs-many-240');
  await noSidewaysScroll(page, `#${JOBS}`);
  await page.keyboard.press('Escape');
  await theme(page, 'Dark');
  await panelOf(page, 400);
  await look(page, 'jobs-many-dark');
  await noAxeViolations(page, `#${JOBS}`);
  await theme(page, 'Light');
});

test('a link opens the list that it names', async ({ page, ownPlace }) => {
  const place = await ownPlace({});
  fill(place);
  const asked = encodeURIComponent('state=failed&environment=science');
  await page.goto(place.address(`lab?reset&mlinfn-jobs=${asked}`));
  await labReady(page);
  const panel = page.locator(`#${JOBS}`);
  await expect(panel).toBeVisible();
  await expect.poll(() => number(panel, 'failed')).toBe('166');
  await expect(panel.locator('[data-group]')).toHaveCount(1);
});
