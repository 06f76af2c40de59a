/* eslint-disable jupyter/galata-prefer-notebook-cell-helper -- these pages are not galata's */
/** `%mlinfn submit` typed into the notebook that it submits. */
import { row, shows } from '../harness/jobs';
import {
  command,
  expect,
  kernelReady,
  look,
  openLab,
  test
} from '../harness/lab';

const CELL = '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell';

test('the magic submits unsaved edits of a renamed notebook, once', async ({
  page,
  place
}) => {
  place.notebook('typed.ipynb', ['print("as saved")', '']);
  await openLab(page, place, 'typed.ipynb');
  await kernelReady(page);
  await page.evaluate(async () => {
    await window.jupyterapp.serviceManager.contents.rename(
      'typed.ipynb',
      'renamed.ipynb'
    );
  });
  await expect(
    page.locator('.lm-TabBar-tab', { hasText: 'renamed.ipynb' })
  ).toBeVisible();

  const before = (await place.jobs()).length;
  await page
    .locator(`${CELL} .cm-content`)
    .first()
    .fill('print("as " + "typed")');
  await page.locator(`${CELL} .cm-content`).nth(1).click();
  await page.keyboard.insertText('%mlinfn submit');
  await command(page, 'notebook:run-cell');
  await expect(page.locator(CELL).nth(1)).toContainText(/submitted/i);
  await look(page, 'magic');

  const job = await place.newest();
  await shows(page, job.id, 'succeeded');
  await expect(await row(page, job.id)).toContainText('renamed');
  const done = await place.job(job.id, 'succeeded');
  const output = place.read(done.output ?? '');
  expect(output).toContain('as typed');
  expect(output).toContain('inside a job');
  expect(place.read('renamed.ipynb')).toContain('typed');
  expect((await place.jobs()).length).toBe(before + 1);
});
