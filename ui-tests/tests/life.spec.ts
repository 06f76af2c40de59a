/* eslint-disable jupyter/galata-prefer-filebrowser-helper -- these pages are not galata's */
/** What people do with jobs besides watching them, and all doors that lead to a submit. */
import {
  form,
  JOBS,
  openForm,
  openJob,
  pressSubmit,
  row,
  shows,
  submit
} from '../harness/jobs';
import {
  command,
  expect,
  kernelReady,
  look,
  noAxeViolations,
  openLab,
  showPanel,
  test
} from '../harness/lab';

test('cancel, edit and rerun, delete, clean up', async ({ page, place }) => {
  place.notebook(
    'patient.ipynb',
    [
      'rounds = 20000', // longer than anybody looks
      'import time\nfor n in range(rounds):\n    time.sleep(0.1)'
    ],
    { parameters: true }
  );
  await openLab(page, place);
  await command(page, 'mlinfn:submit', { path: 'patient.ipynb' });
  await form(page);
  const first = await submit(page);
  await shows(page, first, 'running');
  await (
    await row(page, first)
  )
    .getByRole('button', { name: 'Actions for patient' })
    .click();
  await page.getByRole('menuitem', { name: 'Cancel' }).click();
  await shows(page, first, 'cancelled');

  const tab = await openJob(page, first);
  await tab.getByRole('button', { name: 'Edit and rerun…' }).click();
  const open = await form(page);
  await expect(open.getByLabel('Code')).toHaveValue('recorded');
  await open.getByLabel('rounds').fill('2');
  await look(page, 'edit-and-rerun');
  const second = await submit(page);
  await shows(page, second, 'succeeded');
  const again = await place.job(second, 'succeeded');
  expect(again.parameters).toEqual({ rounds: 2 });

  await (await row(page, first)).focus();
  await page.keyboard.press('Delete');
  const question = page.getByRole('dialog', { name: /delete/i });
  await expect(question).toContainText('The results');
  await look(page, 'delete');
  await question.getByRole('button', { name: 'Delete' }).click();
  await expect(await row(page, first)).toHaveCount(0);

  await page.getByRole('button', { name: 'Clean up old jobs…' }).click();
  const clean = page.getByRole('dialog', { name: 'Clean up old jobs' });
  await clean.getByRole('combobox').selectOption({ label: 'any time ago' });
  await expect(clean).toContainText('patient');
  await look(page, 'clean-up');
  await noAxeViolations(page, '.jp-Mlinfn-dialog');
  await clean.getByRole('button', { name: /^Remove \d+ jobs?/ }).click();
  await expect(await row(page, second)).toHaveCount(0);
  expect(await place.jobs()).toEqual([]);
  expect(place.read(again.output ?? '')).toContain('rounds = 2');
});

test('a failed job opens a kernel in its folder and environment', async ({
  page,
  place
}) => {
  place.notebook('faulty.ipynb', [
    'open("made.txt", "w").write("x")',
    'raise ValueError("bad calibration")'
  ]);
  const id = JSON.parse(
    await place.mlinfn('submit', 'faulty.ipynb', '--json')
  ).id;
  await place.job(id, 'failed');
  await openLab(page, place);
  const found = await row(page, id);
  await expect(found).toContainText('bad calibration');
  await found.getByRole('button', { name: 'Open a kernel here' }).click();
  const console = page.locator('.jp-ConsolePanel');
  await expect(console).toBeVisible();
  await expect(console).toContainText('IPython');
  await console
    .locator('.jp-CodeConsole-input .cm-content')
    .fill('import os; print("here:", os.getcwd())');
  await page.keyboard.press('Shift+Enter');
  await expect(console).toContainText(`here: ${place.root}`);
  await look(page, 'debug-kernel');
});

test('a parameter without a parameters cell is offered a new first cell', async ({
  page,
  place
}) => {
  place.notebook('bare.ipynb', ['print("rate is", globals().get("rate"))']);
  await openLab(page, place, 'bare.ipynb');
  await kernelReady(page);
  // somebody else wrote the file since: JupyterLab asks, and the form waits behind its question
  place.notebook('bare.ipynb', ['print("of somebody else")']);
  const cell = page.locator('.jp-NotebookPanel .cm-content').first();
  await cell.fill('print("rate is", globals()["rate"])');
  await pressSubmit(page);
  const question = page.locator('.jp-Dialog', { hasText: 'File Changed' });
  await question.getByRole('button', { name: 'Overwrite' }).click();
  const open = await form(page);
  await open.getByRole('button', { name: 'Add a parameter' }).click();
  await open.getByLabel('Name of the parameter').fill('rate');
  await open.getByLabel('Value of').fill('0.25');
  await open.getByRole('checkbox', { name: /no parameters cell/ }).uncheck();
  await expect(open.locator('.jp-Mlinfn-outlook')).toHaveAttribute(
    'data-ok',
    'false'
  );
  await look(page, 'no-parameters-cell');
  await noAxeViolations(page, '.jp-Mlinfn-dialog');
  await open.getByRole('checkbox', { name: /no parameters cell/ }).check();
  await expect(open.locator('.jp-Mlinfn-outlook')).toHaveAttribute(
    'data-ok',
    'true'
  );
  const id = await submit(page);
  await shows(page, id, 'succeeded');
  const job = await place.job(id, 'succeeded');
  expect(place.read(job.output ?? '')).toContain('rate is 0.25');
});

test('every door leads to the form', async ({ page, place }) => {
  await openLab(page, place);
  const open = page.getByRole('form', { name: 'Submit as job' });
  await page
    .locator('.jp-DirListing-item', { hasText: 'train.ipynb' })
    .click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Submit as Job…' }).click();
  await expect(await form(page)).toContainText('train.ipynb');
  await page.keyboard.press('Escape');

  await page
    .locator('.jp-DirListing-item', { hasText: 'train.ipynb' })
    .dblclick();
  await expect(page.locator('.jp-NotebookPanel')).toBeVisible();
  await kernelReady(page); // until then the notebook takes the focus from the palette
  await command(page, 'apputils:activate-command-palette');
  await page.locator('.lm-CommandPalette-input:visible').fill('Submit as Job');
  await expect(
    page.locator('.lm-CommandPalette-item.lm-mod-active:visible')
  ).toContainText('Submit as Job');
  await page.keyboard.press('Enter');
  await expect(await form(page)).toContainText('train.ipynb');
  const tried = await (async () => {
    const answer = page.waitForResponse(
      one => one.request().method() === 'POST' && /v1\/jobs$/.test(one.url())
    );
    await open.getByRole('button', { name: 'Try first' }).click();
    return (await (await answer).json()) as {
      id: string;
      resources: { time: number };
    };
  })();
  expect(tried.resources.time).toBe(300);
  await place.cancelAll();

  await command(page, 'launcher:create');
  await page
    .locator('.jp-LauncherCard:visible', { hasText: 'Submit as Job' })
    .click();
  await expect(
    page.locator('.jp-Open-Dialog, .jp-Mlinfn-submit').first()
  ).toBeVisible();
  await page.keyboard.press('Escape');

  await showPanel(page, JOBS);
  await page
    .locator(`#${JOBS}`)
    .getByRole('button', { name: 'Submit…' })
    .click();
  await expect(
    page.locator('.jp-Open-Dialog, .jp-Mlinfn-submit').first()
  ).toBeVisible();
});

test('the buttons of the form stay where they are while answers come', async ({
  page,
  place
}) => {
  let answer = () => {};
  const answered = new Promise<void>(resolve => (answer = resolve));
  await page.route(/\/v1\/jobs\/draft$/, async route => {
    await answered;
    await route.continue();
  });
  await page.setViewportSize({ width: 1400, height: 1200 });
  await openLab(page, place, 'train.ipynb');
  const open = await openForm(page);
  const button = open.getByRole('button', { name: 'Submit', exact: true });
  const before = await button.boundingBox();
  answer();
  await expect(open.locator('.jp-Mlinfn-outlook')).toContainText('starts now');
  expect(await button.boundingBox()).toEqual(before);
});

test('without a hand on the keyboard the page lets the server sleep', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace({ args: ['--Mlinfn.live_idle_minutes=0.05'] });
  await openLab(page, place);
  await showPanel(page, JOBS);
  const panel = page.locator(`#${JOBS}`);
  const paused = panel.getByRole('button', { name: /Paused/ });
  await expect(paused).toBeVisible();
  await look(page, 'paused');
  await expect(async () => {
    await page.keyboard.press('Shift'); // it goes with the first touch, for three seconds
    await expect(paused).toHaveCount(0, { timeout: 2000 });
  }).toPass();
});
