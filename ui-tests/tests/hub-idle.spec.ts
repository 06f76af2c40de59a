/**
 * The warning before an idle GPU is released, and the release, with a real hub, proxy, service,
 * agent and culler; the slices are simulated, and idle.
 */
import type { Page } from '@playwright/test';
import * as fs from 'fs';
import * as path from 'path';

import { Hub } from '../harness/hub';
import {
  expect,
  keepLogs,
  labReady,
  noAxeViolations,
  noSidewaysScroll,
  picture,
  test as plain,
  theme
} from '../harness/lab';
import { CHECKOUT } from '../harness/paths';
import { until } from '../harness/processes';

const BANNER = '#mlinfn-session-banner';
const CONFIG = path.join(CHECKOUT, 'ui-tests', 'harness', 'idlehub_config.py');
const CLIP = { x: 0, y: 0, width: 1200, height: 500 };

const test = plain.extend<object, { hub: Hub }>({
  hub: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const hub = await Hub.open(CONFIG);
      await use(hub);
      await hub.close();
    },
    { scope: 'worker', timeout: 300_000 }
  ]
});

test.afterEach(async ({ hub }, info) => {
  if (info.status !== info.expectedStatus) {
    await keepLogs(info, hub.logs());
  }
});

/** Log in, and start a session with a slice as soon as the hub has looked at its devices. */
async function start(
  page: Page,
  hub: Hub,
  name: string,
  card: string
): Promise<void> {
  await page.setViewportSize({ width: CLIP.width, height: 700 });
  await page.goto(`${hub.url}/hub/spawn`);
  await page.locator('#username_input').fill(name);
  await page.locator('#password_input').fill(hub.password);
  await page.locator('#login_submit').click();
  const chosen = page.locator('.mlinfn-card', { hasText: card });
  await expect(async () => {
    await page.reload();
    await expect(chosen).toContainText('of 2 free', { timeout: 2000 });
  }).toPass({ timeout: 120_000 });
  await chosen.getByText(card).click();
  await page.getByRole('button', { name: 'Start' }).click();
  await page.waitForURL(new RegExp(`/user/${name}/lab`), { timeout: 240_000 });
  await labReady(page);
}

/** Why the hub ended the sessions of somebody, by its journal. */
function endings(hub: Hub, name: string): string[] {
  const file = path.join(hub.base, 'mlinfn', 'decisions.jsonl');
  const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf-8') : '';
  return lines
    .split('\n')
    .filter(line => line.endsWith('}'))
    .map(line => JSON.parse(line) as Record<string, string>)
    .filter(one => one.user === name && one.decision === 'cull')
    .map(one => one.why);
}

test('an idle GPU is announced with its pool and time, and one click keeps it', async ({
  hub,
  page
}) => {
  await start(page, hub, 'ada', 'Warned at once');
  const banner = page.locator(BANNER);
  await expect(banner).toBeVisible({ timeout: 120_000 });
  await expect(banner).toContainText(
    /GPU \(a100-slice\) idle for .+; released at \d\d:\d\d\./
  );
  await expect(banner).toContainText('saved files stay');
  const news = page.locator('.Toastify__toast', { hasText: 'Jupyter news' });
  await news.getByRole('button', { name: 'No', exact: true }).click();
  for (const [name, shown] of [
    ['Dark', 'idle-warning-dark'],
    ['Light', 'idle-warning']
  ] as const) {
    await theme(page, name);
    await expect(banner).toBeVisible();
    await noAxeViolations(page, BANNER);
    await noSidewaysScroll(page, BANNER);
    await picture(page, shown, CLIP);
  }
  const kept = page.locator('.Toastify__toast', { hasText: 'Kept.' });
  await banner.getByRole('button', { name: 'Keep for 1 h' }).click();
  await expect(kept).toContainText(/not released before .*\d\d:\d\d/);
  await expect(banner).toBeHidden();
  expect(endings(hub, 'ada')).toEqual([]);
});

test('when the warning has run out the session is ended, and its slice is free', async ({
  hub,
  page
}) => {
  await start(page, hub, 'bea', 'Ended soon');
  const banner = page.locator(BANNER);
  await expect(banner).toBeVisible({ timeout: 120_000 });
  await expect(banner).toContainText('released at');
  await until('the session to end', () => endings(hub, 'bea').length > 0, 180);
  expect(new Set(endings(hub, 'bea'))).toEqual(new Set(['gpu-idle']));
  await expect(async () => {
    await page.goto(`${hub.url}/hub/spawn`);
    const card = page.locator('.mlinfn-card', { hasText: 'Ended soon' });
    await expect(card).toContainText(/[12] of 2 free/, { timeout: 2000 });
  }).toPass({ timeout: 120_000 });
});
