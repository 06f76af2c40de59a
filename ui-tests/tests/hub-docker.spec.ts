/**
 * A member of the project from the hub's first page to a notebook in a container and back.
 *
 * The accelerators are simulated, and seen in the container as NVIDIA's runtime shows them: the
 * leased slice alone. All programs are real (tests/hub/docker).
 */
import type { Page } from '@playwright/test';

import { DockerHub } from '../harness/dockerhub';
import {
  command,
  expect,
  keepLogs,
  kernelReady,
  labReady,
  look,
  noAxeViolations,
  test as plain
} from '../harness/lab';
import { notebookOf } from '../harness/notebook';

const CARDS = '.mlinfn-offer';
const NOTEBOOK = 'kept.ipynb';
// of jupyter_mlinfn/gpus/simulated/scene.py
const SLICE = /MIG-51a1a100-0000-5000-8000-000000000000/;

/** The panels, and what they must show of this session. */
const PANELS = [
  ['gpus', ['cut into 1', '1g.10gb']],
  ['environments', ['Found']],
  ['jobs', []],
  ['storage', ['Private', 'Collabspace']]
] as const;

const test = plain.extend<object, { site: DockerHub }>({
  site: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const site = await DockerHub.open();
      await use(site);
      await site.stop();
    },
    { scope: 'worker', timeout: 600_000 }
  ]
});

test.afterEach(async ({ site }, info) => {
  if (info.status !== info.expectedStatus && !site?.missing) {
    await keepLogs(info, site?.logs('ada') ?? 'The hub did not come up.');
  }
});

async function logIn(page: Page, site: DockerHub, name: string): Promise<void> {
  await page.goto(`${site.url}/hub/spawn`);
  await page.getByRole('button', { name: 'Sign in with INDIGO IAM' }).click();
  await page.waitForURL(`${site.issuer}interaction/*`);
  await page.getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** Press Start on the page with the cards, and wait for JupyterLab. */
async function startLab(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Start' }).click();
  await page.waitForURL(/\/user\/ada\/lab/, { timeout: 300_000 });
  await labReady(page);
}

/** Write a notebook that says what it sees, run it and save it. */
async function writeNotebook(page: Page): Promise<void> {
  await page.evaluate(
    async ([name, content]) => {
      await window.jupyterapp.serviceManager.contents.save(name, {
        type: 'notebook',
        format: 'json',
        content
      });
    },
    [
      NOTEBOOK,
      notebookOf(['import os; print(os.environ["NVIDIA_VISIBLE_DEVICES"])'])
    ] as const
  );
  await command(page, 'docmanager:open', {
    path: NOTEBOOK,
    factory: 'Notebook',
    kernel: { name: 'python3' }
  });
  await kernelReady(page);
  await command(page, 'notebook:run-all-cells');
  await expect(page.locator('.jp-OutputArea-output')).toHaveText(SLICE);
  await command(page, 'docmanager:save');
}

/** Press Stop on the hub's home page, and wait until the hub says that nothing runs. */
async function stopServer(page: Page): Promise<void> {
  const stop = page.getByRole('button', { name: 'Stop My Server' });
  // the page's script may come after the button
  await expect(async () => {
    await stop.click({ timeout: 5000 });
    await expect(page.locator('#start')).toHaveAttribute('title', /server/, {
      timeout: 5000
    });
  }).toPass({ timeout: 120_000 });
  await expect(stop).toBeHidden({ timeout: 180_000 });
  // the page answers before a slow stop has ended
  await expect(async () => {
    await page.reload();
    await expect(
      page.getByRole('button', { name: 'Start My Server' })
    ).toBeVisible({ timeout: 5000 });
  }).toPass({ timeout: 180_000 });
}

test('a member gets a slice and her areas, and her notebook outlives the container', async ({
  site,
  page
}) => {
  test.skip(site.missing !== '', site.missing);
  await logIn(page, site, 'ada');
  const cards = page.locator('.mlinfn-card');
  await expect(cards).toHaveCount(2);
  await expect(page.locator(CARDS)).not.toContainText('For administrators');
  const slice = cards.filter({ hasText: 'With a slice of a GPU' });
  await expect(slice).toContainText('A100 slice (10 GB): 1 of 1 free');
  await slice.getByRole('radio').check();
  await noAxeViolations(page, CARDS);
  await look(page, 'hub-docker-spawn');
  await startLab(page);

  // what a panel shows is kept up to date only while it is in front
  for (const [panel, shown] of PANELS) {
    await page.locator(`.jp-SideBar [data-id="mlinfn-${panel}-panel"]`).click();
    const opened = page.locator(`#mlinfn-${panel}-panel`);
    await expect(opened).toBeVisible();
    await expect(opened.locator('.jp-Mlinfn-skeleton')).toHaveCount(0);
    for (const text of shown) {
      await expect(opened).toContainText(text);
    }
    await look(page, `hub-docker-${panel}`);
  }
  await writeNotebook(page);
  await look(page, 'hub-docker-lab');
  await expect.poll(() => site.privately('ada', NOTEBOOK)).toMatch(SLICE);

  await page.goto(`${site.url}/hub/home`);
  await stopServer(page);
  const again = page.getByRole('button', { name: 'Start My Server' });
  await look(page, 'hub-docker-home');
  await again.click();
  await expect(slice.getByRole('radio')).toBeChecked();
  await startLab(page);
  await command(page, 'docmanager:open', { path: NOTEBOOK });
  await expect(page.locator('.jp-OutputArea-output')).toHaveText(SLICE);
  await look(page, 'hub-docker-again');
});

test('who is no member reads why, and what to do', async ({ site, page }) => {
  test.skip(site.missing !== '', site.missing);
  await logIn(page, site, 'eve');
  await expect(page.locator('.error')).toContainText(
    'You are signed in, but none of your groups opens this hub. Ask the people who run it'
  );
  await look(page, 'hub-docker-refused');
});
