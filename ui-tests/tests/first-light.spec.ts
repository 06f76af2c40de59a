/**
 * The first story: a notebook becomes a job, and whatever is killed, the job ends well.
 */
import * as fs from 'fs';

import { form, openForm, openJob, row, shows, submit } from '../harness/jobs';
import {
  expect,
  labReady,
  look,
  openLab,
  picture,
  showPanel,
  test
} from '../harness/lab';
import type { Place } from '../harness/place';
import { killHard, processesWith, until } from '../harness/processes';

/**
 * Let the training wait at its end for a file that is named after its epochs: a job that is to be
 * looked at or disturbed cannot be over before.
 */
function gate(place: Place): void {
  const notebook = JSON.parse(place.read('train.ipynb'));
  notebook.cells.push({
    cell_type: 'code',
    id: 'gate',
    metadata: {},
    execution_count: null,
    outputs: [],
    source:
      'from pathlib import Path\nwhile not Path(f"go-{epochs}").exists():\n    time.sleep(0.1)'
  });
  place.write('train.ipynb', JSON.stringify(notebook));
}

/** Source and outputs of a notebook as one text. */
function textOf(place: Place, notebook: string): string {
  return JSON.stringify(JSON.parse(place.read(notebook)).cells);
}

test('a job outlives a server killed with -9 and has the changed parameter', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace();
  gate(place);
  await openLab(page, place, 'train.ipynb');
  const open = await openForm(page);
  await expect(open.getByLabel('learning_rate')).toHaveValue('0.1');
  await open.getByLabel('learning_rate').fill('0.07');
  await expect(open.locator('.jp-Mlinfn-outlook')).toHaveAttribute(
    'data-ok',
    'true'
  );
  await picture(page, 'submit', { x: 430, y: 0, width: 540, height: 900 });
  const id = await submit(page);

  await shows(page, id, 'running');
  const tab = await openJob(page, id);
  await expect(tab.getByLabel('Log of the job')).toContainText(
    'epoch 10: loss'
  );
  await tab.getByRole('button', { name: 'Open notebook' }).click();
  const partial = page.locator('.jp-NotebookPanel:has(.jp-Mlinfn-note)');
  await expect(partial).toContainText('two calorimeter layers');
  await expect(partial).toContainText('epoch 20: loss');
  const printed = partial.locator('.jp-OutputArea-output').last();
  await printed.scrollIntoViewIfNeeded();
  expect(await printed.textContent()).not.toContain('\n\n');
  await picture(page, 'job-running');

  await place.killServer();
  await look(page, 'server-gone');
  expect((await place.newest()).state).toBe('running');
  await place.start();
  await page.reload();
  await labReady(page);
  place.write('go-60', '');
  await shows(page, id, 'succeeded');
  await look(page, 'after-restart');

  const job = await place.job(id, 'succeeded');
  const output = textOf(place, job.output ?? '');
  expect(output).toContain('learning_rate = 0.07');
  expect(output).toContain('with learning_rate=0.07');
  expect(textOf(place, 'train.ipynb')).not.toContain('0.07');
  await (await row(page, id)).click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Open Output' }).click();
  await expect(
    page.locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook').last()
  ).toContainText('with learning_rate=0.07');
  await look(page, 'output');
});

test('a supervisor killed with -9 costs nothing, and the job behind it runs', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace({ cpus: 1 });
  gate(place);
  place.write('go-3', '');
  await openLab(page, place, 'train.ipynb');
  let open = await openForm(page);
  await open.getByLabel('epochs').fill('24');
  const first = await submit(page);
  await shows(page, first, 'running');

  open = await openForm(page);
  await open.getByLabel('epochs').fill('3');
  await open.getByLabel('learning_rate').fill('0.3');
  await expect(open.locator('.jp-Mlinfn-outlook')).toContainText(
    /starts first there, about/
  );
  const second = await submit(page);
  await shows(page, second, 'queued');
  await look(page, 'queue');

  const supervisors = processesWith(place.base).filter(one =>
    /jupyter_mlinfn\.jobs\.supervisor/.test(one.command)
  );
  expect(supervisors).toHaveLength(1);
  killHard(supervisors[0].pid);
  place.write('go-24', '');

  await shows(page, first, 'succeeded');
  await shows(page, second, 'succeeded');
  const [one, two] = [
    await place.job(first, 'succeeded'),
    await place.job(second, 'succeeded')
  ];
  expect(one.attempts).toBe(1);
  expect(textOf(place, one.output ?? '')).toContain('epoch 20: loss');
  expect(textOf(place, two.output ?? '')).toContain('with learning_rate=0.3');
});

test('the server and the supervisor killed together', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace({ cpus: 1 });
  gate(place);
  await openLab(page, place, 'train.ipynb');
  const open = await openForm(page);
  await open.getByLabel('epochs').fill('24');
  const first = await submit(page);
  await openForm(page);
  const second = await submit(page);
  await shows(page, first, 'running');
  await until('the first cells', async () =>
    (await place.mlinfn('job', 'log', first)).includes('events')
  );
  await place.killServer();
  for (const one of processesWith(place.base)) {
    if (/supervisor|local-dispatcher/.test(one.command)) {
      killHard(one.pid);
    }
  }
  await place.start();
  place.write('go-24', '');
  await page.reload();
  await labReady(page);
  await shows(page, first, 'succeeded');
  expect((await place.job(first, 'succeeded')).attempts).toBe(1);
  await shows(page, second, 'running');
});

test('a job that waits runs the module as it was when it was submitted', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace({ cpus: 1 });
  place.notebook('hold.ipynb', [
    'import time\nfrom pathlib import Path\n' +
      'while not Path("go").exists():\n    time.sleep(0.1)'
  ]);
  await openLab(page, place, 'hold.ipynb');
  await openForm(page);
  const holding = await submit(page);
  await shows(page, holding, 'running');

  await openLab(page, place, 'train.ipynb');
  const open = await openForm(page);
  await open.getByLabel('epochs').fill('3');
  const id = await submit(page);
  await shows(page, id, 'queued');
  const module = place.read('detector.py');
  place.write('detector.py', module.replace(/two calorimeter/, 'ELEVEN'));
  const events = place.read('events.csv').split('\n');
  place.write('events.csv', events.slice(0, 101).join('\n'));
  place.write('go', '');

  await shows(page, id, 'succeeded');
  const output = textOf(place, (await place.job(id, 'succeeded')).output ?? '');
  expect(output).toContain('two calorimeter layers');
  expect(output).not.toContain('ELEVEN');
  // Data are read where they lie, when the job runs.
  expect(output).toContain('100 events');
});

test('a kernel that does not exist is refused in words and nothing starts', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace();
  place.notebook('foreign.ipynb', ['print(1)'], { kernel: 'root-7.32' });
  await openLab(page, place);
  await page.evaluate(() =>
    window.jupyterapp.commands.execute('mlinfn:submit', {
      path: 'foreign.ipynb'
    })
  );
  const open = await form(page);
  await expect(open.locator('.jp-Mlinfn-outlook')).toHaveAttribute(
    'data-ok',
    'false'
  );
  await expect(open.locator('.jp-Mlinfn-outlook')).toContainText('root-7.32');
  await open.getByRole('button', { name: 'Submit', exact: true }).click();
  await expect(open.locator('.jp-Mlinfn-outlook')).toContainText('root-7.32');
  await look(page, 'environment-refused');
  expect(await place.jobs()).toEqual([]);
  expect(fs.existsSync(`${place.root}/results`)).toBe(false);
  await page.keyboard.press('Escape');
  await showPanel(page, 'mlinfn-jobs-panel');
  await look(page, 'jobs-empty');
});
