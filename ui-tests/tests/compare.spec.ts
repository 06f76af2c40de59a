/** Two jobs beside each other, and running one again exactly. */
import type { Locator, Page } from '@playwright/test';
import * as path from 'path';

import { JOBS, openJob } from '../harness/jobs';
import {
  command,
  expect,
  look,
  noAxeViolations,
  noSidewaysScroll,
  openLab,
  picture,
  showPanel,
  test,
  theme
} from '../harness/lab';
import type { Place } from '../harness/place';

const TRAINING = [
  'rate = 0.1\nepochs = 3',
  'import json, os, pathlib, random\n' +
    'random.seed(int(os.environ.get("MLINFN_SEED", "0")))\n' +
    'weights = [random.random() * rate for _ in range(50)]',
  'import mlinfn\n' +
    'for epoch in range(epochs):\n' +
    '    print(f"epoch {epoch}: loss {1 / (1 + sum(weights) * (epoch + 1)):.4f}")\n' +
    'mlinfn.record(loss=round(1 / (1 + sum(weights)), 4), epochs=epochs)',
  'out = pathlib.Path(os.environ["MLINFN_OUTPUT_DIR"])\n' +
    '(out / "weights.json").write_text(json.dumps(weights))\n' +
    '(out / "labels.txt").write_text("signal background")'
];

/** Submit and wait for the end. */
async function ran(place: Place, ...args: string[]): Promise<string> {
  const words = ['submit', ...args, '--wait', '--json'];
  return JSON.parse(await place.mlinfn(...words)).id;
}

/** The comparison in front. */
function comparison(page: Page): Locator {
  return page.locator('.lm-Widget:not(.lm-mod-hidden) > .jp-Mlinfn-panel', {
    has: page.getByRole('article', { name: 'Compare jobs' })
  });
}

test('two runs side by side: what differs is open, what is equal is folded', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace();
  place.notebook('fit.ipynb', TRAINING, { parameters: true });
  place.write('events.txt', '1 2 3\n');
  const input = ['--input', 'events.txt', '--seed', '7'];
  const one = await ran(place, 'fit.ipynb', '-p', 'rate=0.1', ...input);
  place.notebook(
    'fit.ipynb',
    TRAINING.map(cell => cell.replace('loss {1', 'the loss is {1')),
    { parameters: true }
  );
  place.write('events.txt', '1 2 4\n');
  const two = await ran(place, 'fit.ipynb', '-p', 'rate=0.2', ...input);
  const third = await ran(place, 'train.ipynb');
  place.write('events.txt', '1 2 3\n');

  await openLab(page, place);
  const tab = await openJob(page, one);
  await tab.getByRole('button', { name: 'Compare with…' }).click();
  const compared = comparison(page);
  await expect(compared.getByRole('button', { name: /^fit/ })).toHaveCount(1);
  await compared.getByLabel('Search jobs').fill(third);
  await expect(compared.getByRole('status')).toHaveText('1 job');
  await compared.getByLabel('Search jobs').fill('');
  await expect(compared.getByRole('status')).toHaveText('2 jobs');
  await look(page, 'compare-choose');
  await noAxeViolations(page, '.jp-Mlinfn-diff');
  await compared.getByRole('button', { name: /^fit/ }).click();

  await expect(compared).toContainText('Other results');
  await expect(compared).toContainText('parameters (rate)');
  const part = (name: string) =>
    compared.locator(`details[data-section="${name}"]`);
  await expect(part('parameters')).toContainText('0.2');
  await expect(part('inputs')).toHaveAttribute('data-same', 'false');
  await expect(part('outputs')).toContainText('weights.json');
  await expect(part('outputs')).not.toContainText('labels.txt');
  await expect(part('code')).toContainText('the loss is');
  await expect(part('packages')).toHaveAttribute('data-same', 'true');
  await expect(part('packages')).not.toHaveAttribute('open', '');
  await expect(part('code')).toContainText('cell 3');
  await expect(part('printed')).toContainText('cell 3');
  await noAxeViolations(page, '.jp-Mlinfn-diff');
  await picture(page, 'compare');
  await part('code').scrollIntoViewIfNeeded();
  await part('printed').locator('.jp-Mlinfn-diffText').scrollIntoViewIfNeeded();
  await look(page, 'compare-code');

  await part('outputs')
    .getByRole('button', { name: /equal line/ })
    .click();
  await expect(part('outputs')).toContainText('labels.txt');
  await compared.getByLabel('Search in the comparison').fill('ipykernel');
  await expect(compared.locator('details')).toHaveCount(2);
  await expect(part('packages')).toContainText('ipykernel');
  await look(page, 'compare-search');
  await compared.getByLabel('Search in the comparison').fill('');
  await compared.getByRole('button', { name: 'Swap A and B' }).click();
  await expect(compared.getByRole('region', { name: 'Job A' })).toContainText(
    two
  );

  await theme(page, 'Dark');
  await noAxeViolations(page, '.jp-Mlinfn-diff');
  await look(page, 'compare-dark');
  await theme(page, 'Light');
  await page.setViewportSize({ width: 760, height: 900 });
  await expect(page.locator('#jupyterlab-splash')).toHaveCount(0);
  await noSidewaysScroll(page, '.jp-Mlinfn-diff');
  await look(page, 'compare-narrow');
});

test('an exact rerun says whether the outputs are the same, or why it is refused', async ({
  page,
  ownPlace
}) => {
  const place = await ownPlace({
    settings: base => [
      `c.Mlinfn.shared_jobs = ['${path.join(base, 'work', 'group')}']`
    ]
  });
  place.write('group/about.txt', 'What we share.\n');
  place.notebook('fit.ipynb', TRAINING, { parameters: true });
  place.write('events.txt', '1 2 3\n');
  const input = ['--input', 'events.txt', '--seed', '7'];
  const first = await ran(place, 'fit.ipynb', ...input);
  await openLab(page, place);
  const tab = await openJob(page, first);
  const answer = page.waitForResponse(one => one.url().endsWith('/rerun'));
  await tab.getByRole('button', { name: 'Rerun exactly' }).click();
  const again = (await (await answer).json()).id;
  await place.job(again, 'succeeded');
  await command(page, 'mlinfn:open-job', { id: again });
  const second = page.locator(`#mlinfn-job-tab-${again}`);
  await expect(second).toContainText('Same output: all 3 files are equal.');
  await expect(second).toContainText('Run again exactly of');
  await noAxeViolations(page, `#mlinfn-job-tab-${again}`);
  await second.getByText('Same output').scrollIntoViewIfNeeded();
  const top = { x: 0, y: 0, width: 1400, height: 620 };
  await picture(page, 'exact-rerun', top);
  await second.getByRole('button', { name: 'Show the comparison' }).click();
  await expect(comparison(page)).toContainText('Same results');
  await expect(comparison(page)).toContainText(
    'The same was asked for: code, parameters, environment and inputs.'
  );
  await look(page, 'compare-same');

  place.write('events.txt', '1 2 9\n');
  await command(page, 'mlinfn:rerun-job-exactly', { id: first });
  const refused = page.getByRole('dialog', {
    name: 'It cannot be run again exactly'
  });
  await expect(refused).toContainText('events.txt is not what it was');
  await expect(refused).toContainText('Put the file of then back');
  await noAxeViolations(page, '.jp-Mlinfn-dialog');
  await picture(page, 'exact-refused');
  await refused.getByRole('button', { name: 'Close' }).click();
  await expect(refused).toHaveCount(0);
  expect((await place.jobs()).length).toBe(2);

  // shared with the group, found there by a colleague, and run as a job of one's own
  place.write('events.txt', '1 2 3\n');
  await command(page, 'mlinfn:open-job', { id: first });
  await tab.getByRole('button', { name: 'Share…' }).click();
  const share = page.getByRole('dialog', { name: 'Share fit' });
  await share.getByRole('button', { name: 'Share', exact: true }).click();
  await expect(share.getByRole('status')).toContainText(`group/${first}`);
  await noAxeViolations(page, '.jp-Mlinfn-dialog');
  await picture(page, 'share', { x: 0, y: 0, width: 1400, height: 620 });
  await share.getByRole('button', { name: 'Close' }).click();
  await showPanel(page, JOBS);
  const panel = page.locator(`#${JOBS}`);
  await panel.getByLabel('Whose jobs').selectOption('Shared with me');
  await panel.getByRole('button', { name: 'fit' }).click();
  const shared = page.getByRole('article', { name: 'Shared job' });
  await expect(shared).toContainText('Shared by you');
  await expect(shared.getByLabel('Log of the shared job')).toContainText(
    'epoch 2'
  );
  await noAxeViolations(page, `#${JOBS}`);
  await noAxeViolations(page, `#mlinfn-shared-${first}`);
  await noSidewaysScroll(page, `#${JOBS}`);
  await picture(page, 'shared-job', { x: 0, y: 0, width: 1400, height: 430 });
  const own = page.waitForResponse(one => one.url().endsWith('/rerun'));
  await shared.getByRole('button', { name: 'Run as my job' }).click();
  expect((await own).status()).toBe(400); // the inputs of then are not in her folder
  place.write(`shared/fit-${first}/events.txt`, '1 2 3\n');
  const now = page.waitForResponse(one => one.url().endsWith('/rerun'));
  await shared.getByRole('button', { name: 'Run as my job' }).click();
  const mine = (await (await now).json()).id;
  await place.job(mine, 'succeeded');
  await shared.getByRole('button', { name: 'Compare with mine…' }).click();
  const choice = comparison(page);
  await choice.getByLabel('Search jobs').fill(mine);
  await expect(choice.getByRole('status')).toHaveText('1 job');
  await choice.getByRole('button', { name: /^fit/ }).click();
  await expect(comparison(page)).toContainText('Same results');
});
