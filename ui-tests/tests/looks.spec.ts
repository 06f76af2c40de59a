/** What people see: themes, widths, keyboard, states, and titles that would do harm. */
import type { Page } from '@playwright/test';

import { form, JOBS, openForm, row } from '../harness/jobs';
import {
  command,
  expect,
  leftWidth,
  look,
  noAxeViolations,
  noSidewaysScroll,
  openLab,
  showPanel,
  test,
  theme
} from '../harness/lab';
import type { Place } from '../harness/place';

const HOSTILE = '<img src=x onerror=window.hacked=1>.ipynb';
const FORM = '.jp-Mlinfn-submit';
/** The panels, and what is in them when they have loaded. */
const PANELS = {
  [JOBS]: '[data-job-id]',
  'mlinfn-gpus-panel': '.jp-Mlinfn-card',
  'mlinfn-environments-panel': '.jp-Mlinfn-environment'
};

const ALL = Object.keys(PANELS) as (keyof typeof PANELS)[];

/** Bring a panel to the front, this wide, and wait until it has loaded. */
async function loaded(
  page: Page,
  panel: keyof typeof PANELS,
  width: number
): Promise<void> {
  await showPanel(page, panel);
  await leftWidth(page, width);
  await expect(
    page.locator(`#${panel} ${PANELS[panel]}`).first()
  ).toBeVisible();
}

/** One job in each state that a person meets often; the ids by name. */
async function someJobs(place: Place): Promise<Record<string, string>> {
  const submit = async (...args: string[]) =>
    JSON.parse(await place.mlinfn('submit', ...args, '--json')).id as string;
  place.notebook('wait.ipynb', [
    'import mlinfn, time\nfrom pathlib import Path\n' +
      'mlinfn.record(epoch=3, loss=0.2145)\nprint("epoch 3: loss 0.2145", flush=True)\n' +
      'while not Path("go").exists():\n    time.sleep(0.1)'
  ]);
  place.notebook(
    'broken.ipynb',
    ['lr = 1.0', 'raise ValueError("no events in run 7")'],
    {
      parameters: true
    }
  );
  place.notebook(HOSTILE, ['print("<script>window.hacked=2</script>")']);
  const ids = {
    failed: await submit('broken.ipynb', '-p', 'lr=0.001'),
    hostile: await submit(HOSTILE),
    running: await submit('wait.ipynb'),
    queued: await submit(
      'train.ipynb',
      '--cpus',
      '2',
      '-p',
      'learning_rate=0.5'
    )
  };
  await place.job(ids.failed, 'failed');
  await place.job(ids.hostile, 'succeeded');
  await place.job(ids.running, 'running');
  return ids;
}

test.describe.serial('looks', () => {
  let ids: Record<string, string>;

  test.beforeAll(async ({ place }) => {
    ids = await someJobs(place);
  });

  test.afterAll(async ({ place }) => {
    await place.cancelAll();
  });

  for (const name of ['Light', 'Dark'] as const) {
    test(`no axe violations, ${name.toLowerCase()}`, async ({
      page,
      place
    }) => {
      await openLab(page, place, 'train.ipynb');
      await theme(page, name);
      for (const panel of ALL) {
        await loaded(page, panel, 400);
        await look(page, `${panel}-${name}`);
        await noAxeViolations(page, `#${panel}`);
      }
      await showPanel(page, JOBS);
      await (await row(page, ids.failed)).dblclick();
      await expect(page.getByRole('article', { name: 'Job' })).toContainText(
        'no events'
      );
      await look(page, `job-tab-failed-${name}`);
      await noAxeViolations(page, `#mlinfn-job-tab-${ids.failed}`);
      await command(page, 'mlinfn:submit', { path: 'train.ipynb' });
      const open = await form(page);
      await expect(open.locator('.jp-Mlinfn-outlook')).not.toHaveAttribute(
        'data-ok',
        'unknown'
      );
      await open.getByText('Before and after').click();
      const after = open.getByLabel('Start after these jobs');
      await after.fill(ids.failed);
      await expect(
        open.getByRole('list', { name: 'Jobs found' }).getByRole('button')
      ).toHaveCount(1);
      await look(page, `submit-after-${name}`);
      await noAxeViolations(page, FORM);
      await after.press('Enter');
      await expect(
        open.getByRole('list', { name: 'Chosen jobs' })
      ).toContainText(ids.failed);
      await open.getByText('Advanced').click();
      await open.getByLabel('Start again at most').fill('2');
      await open.getByLabel('the time limit').check();
      await look(page, `submit-${name}`);
      await noAxeViolations(page, FORM);
      await theme(page, 'Light');
    });
  }

  test('240 px are enough', async ({ page, place }) => {
    await openLab(page, place);
    for (const panel of ALL) {
      await loaded(page, panel, 240);
      await look(page, `${panel}-240`);
      await noSidewaysScroll(page, `#${panel}`);
    }
  });

  test('the keyboard is enough', async ({ page, place }) => {
    await openLab(page, place, 'train.ipynb');
    await openForm(page);
    const open = page.getByRole('form', { name: 'Submit as job' });
    await page.keyboard.press('Escape');
    await expect(open).toHaveCount(0);
    await command(page, 'mlinfn:submit');
    await form(page);
    await expect(focused(page)).resolves.toBeTruthy();
    const submitted = page.waitForResponse(
      one => one.request().method() === 'POST' && /v1\/jobs$/.test(one.url())
    );
    await page.keyboard.press('Control+Enter');
    const { id } = await (await submitted).json();
    await expect(open).toHaveCount(0);
    // both CPUs are taken or spoken for: it stays where it is while one looks
    await expect(await row(page, id)).toHaveAttribute('data-state', 'queued');

    await showPanel(page, JOBS);
    const rows = page.locator(`#${JOBS} [role=row]`);
    await expect(rows.nth(4)).toBeVisible();
    await rows.first().focus();
    await page.keyboard.press('ArrowDown');
    await expect(rows.nth(1)).toBeFocused();
    await page.keyboard.press('End');
    await expect(rows.last()).toBeFocused();
    await page.keyboard.press('Home');
    await expect(rows.first()).toBeFocused();
    await page.keyboard.press('ArrowDown'); // from the head of the group to its first job
    await expect(rows.nth(1)).toBeFocused();
    await look(page, 'focus');
    await page.keyboard.press('ContextMenu');
    await expect(
      page.getByRole('menuitem', { name: 'Edit and Rerun…' })
    ).toBeVisible();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('article', { name: 'Job' })).toBeVisible();
  });

  test('a hostile title is only text', async ({ page, place }) => {
    await openLab(page, place);
    const found = await row(page, ids.hostile);
    await expect(found).toContainText('<img src=x onerror');
    await found.dblclick();
    const tab = page.locator(`#mlinfn-job-tab-${ids.hostile}`);
    await expect(tab.getByLabel('Log of the job')).toContainText('<script>');
    await tab.getByRole('button', { name: 'Open notebook' }).click();
    await expect(page.locator('.jp-NotebookPanel')).toContainText('<script>');
    await command(page, 'mlinfn:submit', { path: HOSTILE });
    await expect(await form(page)).toContainText('<img src=x onerror');
    await look(page, 'hostile');
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
    await expect(
      page.locator('.jp-Mlinfn-panel img, .jp-Mlinfn-dialog img')
    ).toHaveCount(0);
  });
});

test('loading, silent, failed and absent server parts', async ({
  page,
  place
}) => {
  const jobs = /\/mlinfn\/api\/v1\/jobs/;
  let letGo = () => {};
  const held = new Promise<void>(resolve => (letGo = resolve));
  await page.routeWebSocket(/mlinfn\/live/, socket => void socket.close());
  await page.route(jobs, async route => {
    await held;
    await route.abort();
  });
  await openLab(page, place);
  await showPanel(page, JOBS);
  const panel = page.locator(`#${JOBS}`);
  await expect(panel.getByRole('status', { name: 'Loading' })).toBeVisible();
  await look(page, 'jobs-loading');

  letGo();
  await expect(panel.getByRole('alert')).toBeVisible();
  await look(page, 'jobs-silent');
  await noAxeViolations(page, `#${JOBS}`);

  await page.unroute(jobs);
  await page.route(jobs, route =>
    route.fulfill({
      status: 500,
      contentType: 'application/problem+json',
      json: {
        title: 'The list could not be read',
        status: 500,
        detail: 'The disk of the job index answered with an error.',
        code: 'internal',
        problems: []
      }
    })
  );
  await panel.getByRole('button', { name: 'Retry' }).click();
  await expect(panel).toContainText('The disk of the job index');
  await look(page, 'jobs-failed');
  await noAxeViolations(page, `#${JOBS}`);

  await page.unroute(jobs);
  await page.route(jobs, route =>
    route.fulfill({
      status: 404,
      contentType: 'text/html',
      body: '<h1>404</h1>'
    })
  );
  await panel.getByRole('button', { name: 'Retry' }).click();
  await expect(panel).toContainText('no server part');
  await look(page, 'jobs-no-server-part');
  await noAxeViolations(page, `#${JOBS}`);
});

/** Whether the focus is inside the form. */
function focused(page: Page): Promise<boolean> {
  return page.evaluate(
    () => document.activeElement?.closest('dialog') !== null
  );
}
