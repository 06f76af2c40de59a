/** Two people of one group in one notebook of their session, through a real hub. */
import type { Browser, Page } from '@playwright/test';
import * as fs from 'fs';
import * as path from 'path';

import { Hub } from '../harness/hub';
import {
  expect,
  keepLogs,
  labReady,
  look,
  noAxeViolations,
  noSidewaysScroll,
  picture,
  test as plain
} from '../harness/lab';
import { notebookOf } from '../harness/notebook';
import { missed, pythonVersion, tookPart } from '../harness/parts';
import { CHECKOUT } from '../harness/paths';

const COLLAB = path.join(CHECKOUT, '.venvs', 'collab');
const CONFIG = path.join(
  CHECKOUT,
  'ui-tests',
  'harness',
  'togetherhub_config.py'
);
const NAME = 'jupyter-collaboration';
const MAIN = '.mlinfn-together';
const MADE = fs.existsSync(path.join(COLLAB, 'made-from.txt'));

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

test.beforeAll(() => {
  if (!MADE) {
    const why = 'ui-tests/collab-venv.sh could not make .venvs/collab';
    missed(NAME, why);
    test.skip(true, why);
  }
});

test.afterEach(async ({ hub }, info) => {
  if (info.status !== info.expectedStatus) {
    await keepLogs(info, hub.logs());
  }
});

/** Somebody with a browser of her own, on the hub's page of groups' sessions. */
async function person(
  browser: Browser,
  hub: Hub,
  name: string,
  script = true
): Promise<Page> {
  const context = await browser.newContext({ javaScriptEnabled: script });
  const page = await context.newPage();
  await page.goto(`${hub.url}/hub/collaboration`);
  await page.locator('#username_input').fill(name);
  await page.locator('#password_input').fill(hub.password);
  await page.locator('#login_submit').click();
  await expect(page.locator(MAIN)).toBeVisible();
  return page;
}

test('two members edit one notebook in the session of their group', async ({
  hub,
  browser
}) => {
  const ada = await person(browser, hub, 'ada');
  const mine = ada.locator('.mlinfn-session', { hasText: 'users/ai-infn' });
  await expect(mine).toContainText('Nobody has started it.');
  await mine.getByRole('link', { name: 'Start' }).click();
  await expect(ada.locator('.mlinfn-offer')).toContainText(
    'This starts the session of the group users/ai-infn'
  );
  await look(ada, 'hub-collaboration-start');
  await ada.getByRole('button', { name: 'Start' }).click();
  await letIn(ada);
  const room = fs.readdirSync(path.join(hub.base, 'groups'));
  expect(room).toHaveLength(1);
  const notebook = path.join(hub.base, 'groups', room[0], 'ours.ipynb');
  fs.writeFileSync(notebook, JSON.stringify(NOTEBOOK));

  const bea = await person(browser, hub, 'bea');
  await expect(bea.locator(MAIN)).toContainText('Started by ada at');
  await expect(bea.locator('.mlinfn-session')).toHaveCount(1);
  await bea.getByRole('link', { name: 'Open' }).click();
  await letIn(bea);

  for (const page of [ada, bea]) {
    const base = page.url().replace(/\/lab.*/, '');
    await page.goto(`${base}/lab/tree/${room[0]}/ours.ipynb`);
    await expect(cell(page)).toContainText('a word of nobody', {
      timeout: 60_000
    });
  }
  await cell(ada).fill('a word of ada');
  await expect(cell(bea)).toContainText('a word of ada');
  await cell(bea).fill('a word of bea');
  await expect(cell(ada)).toContainText('a word of bea');
  // the other one's name, as the hub told it
  await ada.locator('.jp-SideBar [data-id="jp-collaboration-panel"]').click();
  await expect(ada.locator('.jp-CollaboratorsList')).toContainText('bea');
  await look(ada, 'hub-together');

  await ada.goto(`${hub.url}/hub/collaboration`);
  await expect(mine).toContainText('Started by ada at');
  await noAxeViolations(ada, MAIN);
  await ada.setViewportSize({ width: 1000, height: 620 });
  await picture(ada, 'hub-collaboration-light');
  await mine.locator('summary').click();
  await expect(mine).toContainText('What is saved in Collabspace stays.');
  await ada.locator('#dark-theme-toggle').click();
  await ada.setViewportSize({ width: 400, height: 900 });
  await noAxeViolations(ada, MAIN);
  await noSidewaysScroll(ada, 'body');
  await picture(ada, 'hub-collaboration-narrow-dark');
  await mine.getByRole('button', { name: 'Stop it for everybody' }).click();
  // a slow end is shown as one, and the page never reloads by itself
  await expect(async () => {
    await ada.reload();
    await expect(mine).toContainText('Nobody has started it.', {
      timeout: 2000
    });
  }).toPass({ timeout: 240_000 });
  expect(fs.readFileSync(notebook, 'utf-8')).toContain('a word of bea');
  await bea.context().close();
  await ada.context().close();
});

test('without a script, and without a group, the page says what there is', async ({
  hub,
  browser
}) => {
  const eve = await person(browser, hub, 'eve', false);
  await expect(eve.locator(MAIN)).toContainText(
    'None of your groups has a session of its own.'
  );
  await expect(
    eve.locator('nav').getByRole('link', { name: 'Collaboration' })
  ).toHaveCount(0);
  await look(eve, 'hub-collaboration-empty');
  await eve.context().close();
  const bea = await person(browser, hub, 'bea', false);
  await expect(
    bea.locator('nav').getByRole('link', { name: 'Collaboration' })
  ).toHaveCount(1);
  await bea.getByRole('link', { name: 'Start' }).click();
  await expect(bea.locator('.mlinfn-card')).toHaveCount(1);
  await expect(bea.locator('.mlinfn-offer')).toContainText('Working together');
  await bea.context().close();
  tookPart(NAME, pythonVersion(COLLAB, NAME));
});

/** Through the hub's question whether the session may know one's name, into the session. */
async function letIn(page: Page): Promise<void> {
  const authorize = page.getByRole('button', { name: 'Authorize' });
  const lab = page.locator('#jp-top-panel');
  await expect(authorize.or(lab)).toBeVisible({ timeout: 240_000 });
  if (await authorize.isVisible()) {
    await authorize.click();
  }
  await labReady(page);
}

function cell(page: Page): ReturnType<Page['locator']> {
  return page.locator('.jp-NotebookPanel .cm-content').first();
}

const NOTEBOOK = notebookOf(['a word of nobody']);
