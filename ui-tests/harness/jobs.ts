/** What a person does with jobs in JupyterLab. */
import type { Locator, Page } from '@playwright/test';
import { expect } from '@playwright/test';

import { showPanel } from './lab';

export const JOBS = 'mlinfn-jobs-panel';

/** The button in the notebook's toolbar. */
export async function pressSubmit(page: Page): Promise<void> {
  await page
    .locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Toolbar')
    .getByRole('button', { name: /as (a )?job/i })
    .click();
}

/** The form that the button in the notebook's toolbar opens. */
export async function openForm(page: Page): Promise<Locator> {
  await pressSubmit(page);
  return form(page);
}

/** The submit form that is open, filled with what the server knows. */
export async function form(page: Page): Promise<Locator> {
  const found = page.getByRole('form', { name: 'Submit as job' });
  await expect(found.getByLabel('Environment')).toBeVisible();
  return found;
}

/** Press Submit, wait until the job is accepted, and give its id. */
export async function submit(page: Page): Promise<string> {
  const answer = page.waitForResponse(
    one =>
      one.request().method() === 'POST' &&
      /\/v1\/jobs(\/\w+\/rerun)?$/.test(one.url())
  );
  const open = page.getByRole('form', { name: 'Submit as job' });
  await open.getByRole('button', { name: 'Submit', exact: true }).click();
  const job = await (await answer).json();
  await expect(open).toHaveCount(0);
  return job.id;
}

/** The row of a job in the Jobs panel. */
export async function row(page: Page, id: string): Promise<Locator> {
  await showPanel(page, JOBS);
  return page.locator(`#${JOBS} [data-job-id="${id}"]`);
}

/** Wait for the state that the Jobs panel shows. */
export async function shows(
  page: Page,
  id: string,
  state: string,
  seconds = 180
): Promise<void> {
  await expect(await row(page, id)).toHaveAttribute('data-state', state, {
    timeout: seconds * 1000
  });
}

/** Open the tab of a job by a double click on its row, and wait for a part of it. */
export async function openJob(
  page: Page,
  id: string,
  part = 'Log'
): Promise<Locator> {
  const found = await row(page, id);
  await found.dblclick();
  const tab = page.locator(`#mlinfn-job-tab-${id}`);
  await expect(
    tab.getByRole('region', { name: part, exact: true })
  ).toBeVisible();
  return tab;
}
