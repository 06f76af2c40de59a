/** Notebook 7: the same panel, the same form. */
import { expect, look, test } from '../harness/lab';
import { form, JOBS, submit } from '../harness/jobs';
import { pythonVersion, tookPart } from '../harness/parts';
import { VENV } from '../harness/paths';

test('a notebook becomes a job in Notebook 7', async ({ page, ownPlace }) => {
  const place = await ownPlace({ program: 'notebook' });
  tookPart('Notebook 7', pythonVersion(VENV, 'notebook'));
  await page.goto(place.address('notebooks/train.ipynb'));
  await page.waitForFunction(() => 'jupyterapp' in window);
  await page.evaluate(() => window.jupyterapp.restored);
  await page
    .locator('.jp-NotebookPanel-toolbar')
    .getByRole('button', { name: /as (a )?job/i })
    .click();
  const open = await form(page);
  await open.getByLabel('epochs').fill('4');
  await look(page, 'notebook7-form');
  const id = await submit(page);

  await page.evaluate(
    panel => window.jupyterapp.shell.activateById(panel),
    JOBS
  );
  const row = page.locator(`#${JOBS} [data-job-id="${id}"]`);
  await expect(row).toHaveAttribute('data-state', 'succeeded');
  await row.dblclick();
  await expect(page.locator(`#${JOBS}`)).toContainText('accuracy');
  await look(page, 'notebook7');
});
