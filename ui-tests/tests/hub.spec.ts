/** From a login page to JupyterLab with our panels, through the spawn page of a real hub. */
import type { Page } from '@playwright/test';

import { Hub } from '../harness/hub';
import {
  expect,
  look,
  noAxeViolations,
  noSidewaysScroll,
  picture,
  test as plain
} from '../harness/lab';
import { pythonVersion, tookPart } from '../harness/parts';
import { VENV } from '../harness/paths';

const CARDS = '.mlinfn-offer';

const test = plain.extend<object, { hub: Hub }>({
  hub: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const hub = await Hub.open();
      tookPart('JupyterHub', pythonVersion(VENV, 'jupyterhub'));
      await use(hub);
      await hub.close();
    },
    { scope: 'worker', timeout: 300_000 }
  ]
});

async function logIn(page: Page, hub: Hub, name: string): Promise<void> {
  await page.goto(`${hub.url}/hub/spawn`);
  await page.locator('#username_input').fill(name);
  await page.locator('#password_input').fill(hub.password);
  await page.locator('#login_submit').click();
  await expect(page.locator(CARDS)).toBeVisible();
}

/** No list to unfold shows less than the whole name that is chosen in it. */
async function noClippedChoice(page: Page): Promise<void> {
  const clipped = await page.locator('select:visible').evaluateAll(lists =>
    lists
      .filter(one => {
        const list = one as HTMLSelectElement;
        const style = getComputedStyle(list);
        const pen = document.createElement('canvas').getContext('2d')!;
        pen.font = style.font;
        const padding =
          parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
        const names = Array.from(list.options, option => option.label);
        const widest = Math.max(
          ...names.map(name => pen.measureText(name).width)
        );
        return widest + padding > list.clientWidth;
      })
      .map(one => one.id)
  );
  expect(clipped, 'names that are cut').toEqual([]);
}

test('from login by a card to JupyterLab with our panels', async ({
  hub,
  page
}) => {
  await logIn(page, hub, 'ada');
  const gpu = page.locator('.mlinfn-card', { hasText: 'With a GPU' });
  // the hub looks at its devices when it starts, and the page says what it knew when it was opened
  await expect(async () => {
    await page.reload();
    await expect(gpu).toContainText('A100 slice (10 GB): 7 of 7 free', {
      timeout: 2000
    });
  }).toPass({ timeout: 120_000 });
  await expect(gpu.locator('select').first()).toBeHidden();
  await gpu.getByText('With a GPU').click();
  const slice = gpu.getByRole('radio', { name: 'A100 slice (10 GB) · 7 of 7' });
  await expect(slice).toBeChecked();
  await noAxeViolations(page, CARDS);
  await picture(page, 'hub-spawn-light');
  await page.locator('#dark-theme-toggle').click();
  await noAxeViolations(page, CARDS);
  await picture(page, 'hub-spawn-dark');
  await page.setViewportSize({ width: 400, height: 800 });
  await noSidewaysScroll(page, 'body');
  await noClippedChoice(page);
  await look(page, 'hub-spawn-narrow-dark');
  // the menu unfolds and folds slowly, and hears nothing meanwhile
  const menu = page.locator('.navbar-collapse');
  await page.locator('.navbar-toggler').click();
  await expect(menu).toHaveClass(/\bshow\b/);
  await page.locator('#dark-theme-toggle').click();
  await page.locator('.navbar-toggler').click();
  await expect(menu).toBeHidden();
  await picture(page, 'hub-spawn-narrow');
  await page.setViewportSize({ width: 1400, height: 900 });

  await page.getByRole('button', { name: 'Start' }).click();
  await page.waitForURL(/\/user\/ada\/lab/, { timeout: 240_000 });
  for (const panel of ['gpus', 'environments', 'jobs', 'storage']) {
    await page.locator(`.jp-SideBar [data-id="mlinfn-${panel}-panel"]`).click();
    await expect(page.locator(`#mlinfn-${panel}-panel`)).toBeVisible();
  }
  await expect(page.locator('#mlinfn-storage-panel')).toContainText('Private');
  await look(page, 'hub-lab');
});

test('a person without the group is not shown the GPU, and needs no script', async ({
  hub,
  browser
}) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await logIn(page, hub, 'eve');
  await expect(page.locator('.mlinfn-card')).toHaveCount(1);
  await expect(page.locator(CARDS)).not.toContainText('GPU');
  await page.getByLabel('CPUs').selectOption('2');
  await look(page, 'hub-spawn-no-script');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.waitForURL(/\/user\/eve\/lab/, { timeout: 240_000 });
  await context.close();
});
