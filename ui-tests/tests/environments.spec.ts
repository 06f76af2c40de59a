/* eslint-disable jupyter/galata-prefer-notebook-cell-helper -- these pages are not galata's */
/** Environments: from a managed one to one's own, a kernel, a notebook, a job; and back. */
import type { Page } from '@playwright/test';
import * as fs from 'fs';
import * as path from 'path';

import {
  CHANNEL,
  chooseFromMenu,
  decide,
  dialog,
  environment,
  ENVIRONMENTS,
  makeChannel,
  manage,
  pressInRow,
  previewAndDo,
  withChannel
} from '../harness/environments';
import { form, shows, submit } from '../harness/jobs';
import { SlowChannel } from '../harness/slowchannel';
import {
  command,
  expect,
  kernelReady,
  labReady,
  leftWidth,
  look,
  noAxeViolations,
  noSidewaysScroll,
  openLab,
  picture,
  showPanel,
  test,
  theme
} from '../harness/lab';

const CELL = '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell';

test('list, search, and a job with the environment chosen', async ({
  page,
  place
}) => {
  place.notebook('plain.ipynb', ['print(6 * 7)']);
  await openLab(page, place, 'plain.ipynb');
  await showPanel(page, ENVIRONMENTS);
  await leftWidth(page, 400);
  const panel = page.locator(`#${ENVIRONMENTS}`);
  const rows = panel.locator('.jp-Mlinfn-environment');
  await expect(rows.first()).toContainText('Python 3');
  await expect(rows.first()).toContainText(/files/);

  await panel.getByRole('searchbox').fill('no such package');
  await expect(panel).toContainText('No environment is like this');
  await look(page, 'environments-none');
  await panel.getByRole('searchbox').fill('numpy');
  await expect(rows.first()).toBeVisible();

  await rows.first().hover();
  await rows
    .first()
    .getByRole('button', { name: /Use for job/ })
    .click();
  const open = await form(page);
  await expect(open.getByLabel('Environment')).toHaveValue('python3');
  await expect(open.locator('.jp-Mlinfn-outlook')).toHaveAttribute(
    'data-ok',
    'true'
  );
  const id = await submit(page);
  await shows(page, id, 'succeeded');
});

/** Type a cell into the notebook in front, run it, and wait for what it prints. */
async function runCell(
  page: Page,
  index: number,
  text: string,
  printed: RegExp
): Promise<void> {
  const cell = page.locator(CELL).nth(index);
  await cell.locator('.cm-content').click();
  await page.keyboard.insertText(text);
  await command(page, 'notebook:run-cell-and-select-next');
  await expect(cell.locator('.jp-OutputArea')).toContainText(printed);
}

test.describe('with a channel', () => {
  test.beforeAll(async () => {
    await makeChannel();
  });

  test('clone, add, kernel, notebook, job, undo, delete: by clicks alone', async ({
    page,
    ownPlace
  }) => {
    const place = await ownPlace({ settings: withChannel });
    await manage(place, 'analysis', 'python', 'ipykernel');
    await openLab(page, place);
    await showPanel(page, ENVIRONMENTS);
    await leftWidth(page, 400);
    await expect(environment(page, 'analysis')).toContainText('locked ✓');

    await pressInRow(page, 'analysis', /^Clone/);
    let open = dialog(page, 'Clone analysis');
    const name = open.getByLabel('Name');
    await expect(name).toHaveValue('my-analysis');
    await name.fill('-mine');
    await expect(open).toContainText('begin with a letter or a digit');
    await expect(open.getByRole('button', { name: 'Preview' })).toBeDisabled();
    await name.fill('mine');
    await look(page, 'environment-clone');
    await previewAndDo(open, 'Clone', /packages? would be added/, () =>
      look(page, 'environment-clone-preview')
    );
    await expect(open).toContainText('mine');
    await look(page, 'environment-cloned');

    await open.getByRole('button', { name: 'Add packages…' }).click();
    open = dialog(page, 'Add packages to mine');
    await open.getByRole('combobox').fill('humani');
    await expect(open.getByRole('option', { name: /humanize/ })).toBeVisible();
    await look(page, 'environment-search');
    await open.getByRole('option', { name: /humanize/ }).click();
    await previewAndDo(open, 'Add', /1 package would be added/, async () => {
      await expect(open).toContainText('humanize');
      await picture(page, 'environment-add', {
        x: 0,
        y: 0,
        width: 1000,
        height: 760
      });
    });
    await expect(open).toContainText(/added humanize/i);
    await open.getByRole('button', { name: 'Use as kernel' }).click();
    await expect(open).toHaveCount(0);

    const card = page.locator('.jp-LauncherCard[data-category="Notebook"]', {
      hasText: 'mine'
    });
    await expect(card).toBeVisible();
    await expect(environment(page, 'mine')).toContainText('kernel on');
    await picture(page, 'environments');
    await card.click();
    await kernelReady(page);
    await runCell(
      page,
      0,
      'import humanize\nprint(humanize.intcomma(1234567))',
      /1,234,567/
    );
    await runCell(page, 1, '%mlinfn submit', /submitted/i);
    await look(page, 'environment-notebook');
    const job = await place.newest();
    const done = await place.job(job.id, 'succeeded');
    expect(place.read(done.output ?? '')).toContain('1,234,567');

    await pressInRow(page, 'mine', /^Use for job/);
    const asked = await form(page);
    await expect(asked.getByLabel('Environment')).toHaveValue('mlinfn-mine');
    await expect(asked.locator('.jp-Mlinfn-outlook')).toHaveAttribute(
      'data-ok',
      'true'
    );
    await page.keyboard.press('Escape');

    await chooseFromMenu(page, 'mine', 'Pack…');
    open = dialog(page, 'Pack mine');
    await previewAndDo(open, 'Pack', /would become one file/, () =>
      look(page, 'environment-pack')
    );
    await look(page, 'environment-packed');
    await open.getByRole('button', { name: 'Close' }).click();
    await expect(environment(page, 'mine')).toContainText('packed ✓');
    await environment(page, 'mine').hover();
    await look(page, 'environment-hover');

    await chooseFromMenu(page, 'mine', 'Kernel from the Packed File on');
    await command(page, 'launcher:create');
    await page
      .locator('.jp-LauncherCard[data-category="Notebook"]', {
        hasText: 'one file'
      })
      .click();
    await kernelReady(page);
    await runCell(
      page,
      0,
      'import humanize\nprint(humanize.intcomma(7654321))\nprint(humanize.__file__)',
      /7,654,321\s+\/env\//
    );
    await runCell(page, 1, '%mlinfn submit', /submitted/i);
    await picture(page, 'environment-one-file');
    const packed = await place.newest();
    expect(packed.id).not.toBe(job.id);
    const ran = await place.job(packed.id, 'succeeded');
    expect(place.read(ran.output ?? '')).toContain('/env/lib');
    await command(page, 'kernelmenu:shutdown');

    await chooseFromMenu(page, 'mine', 'History…');
    open = dialog(page, 'History of mine');
    await expect(open.getByRole('listitem')).toHaveCount(2);
    await look(page, 'environment-history');
    await open.getByRole('button', { name: /^Undo to/ }).click();
    await decide(open, 'Undo', /1 package would be removed/);
    await look(page, 'environment-undone');
    await open.getByRole('button', { name: 'Close' }).click();

    await chooseFromMenu(page, 'mine', 'Diff…');
    open = dialog(page, 'Compare mine');
    await expect(open).toContainText('humanize');
    await look(page, 'environment-diff');
    await open.getByRole('button', { name: 'Close' }).click();

    await chooseFromMenu(page, 'mine', 'Lock and Export…');
    open = dialog(page, 'Lock of mine');
    await expect(open).toContainText('package:');
    await look(page, 'environment-lock');
    await page.keyboard.press('Escape');

    await chooseFromMenu(page, 'mine', 'Delete…');
    open = dialog(page, 'Delete mine');
    await expect(open.getByRole('alert')).toContainText('in use');
    await look(page, 'environment-in-use');
    await open.getByRole('button', { name: 'Keep it' }).click();
    await page
      .locator('.lm-TabBar-tabLabel', { hasText: /^Untitled.ipynb$/ })
      .click();
    await command(page, 'kernelmenu:shutdown');
    await chooseFromMenu(page, 'mine', 'Delete…');
    await expect(open.getByRole('alert')).toHaveCount(0);
    await open.getByRole('button', { name: 'Delete', exact: true }).click();
    await expect(environment(page, 'mine')).toHaveCount(0);
    await expect(environment(page, 'analysis')).toBeVisible();
    expect(
      JSON.parse(await place.mlinfn('env', 'list', '--json'))
    ).toMatchObject({
      environments: expect.not.arrayContaining([{ name: 'mine' }])
    });
  });

  test('a new one from a file; an unknown package shows the nearest names', async ({
    page,
    ownPlace
  }) => {
    const place = await ownPlace({ settings: withChannel });
    await openLab(page, place);
    await showPanel(page, ENVIRONMENTS);
    await leftWidth(page, 400);
    const panel = page.locator(`#${ENVIRONMENTS}`);
    await panel
      .getByRole('button', { name: 'New environment…' })
      .first()
      .click();
    const open = dialog(page, 'New environment');
    await open.getByLabel('Name').fill('fresh');
    await open.getByRole('combobox').fill('humanise');
    await page.keyboard.press('Enter');
    await open.getByRole('button', { name: 'Preview', exact: true }).click();
    await expect(open.getByRole('alert')).toContainText('humanize');
    await look(page, 'environment-unknown');
    await noAxeViolations(page, '.jp-Mlinfn-dialog');

    await open.getByRole('button', { name: 'Back' }).click();
    await open.getByLabel('Or a file').setInputFiles({
      name: 'environment.yml',
      mimeType: 'text/yaml',
      buffer: Buffer.from('dependencies:\n  - python\n  - humanize <4.11\n')
    });
    await expect(open).toContainText('environment.yml');
    await previewAndDo(open, 'Create', /would be added/, async () => {
      await theme(page, 'Dark');
      await look(page, 'environment-new-dark');
      await noAxeViolations(page, '.jp-Mlinfn-dialog');
    });
    await open.getByRole('button', { name: 'Close' }).click();
    await expect(environment(page, 'fresh')).toContainText('3 packages');
    for (const width of [240, 400]) {
      await leftWidth(page, width);
      await noSidewaysScroll(page, `#${ENVIRONMENTS}`);
      await look(page, `environments-${width}-dark`);
    }
    await noAxeViolations(page, `#${ENVIRONMENTS}`);

    await chooseFromMenu(page, 'fresh', 'Update…');
    let change = dialog(page, 'Update fresh');
    await change.getByRole('button', { name: 'Preview', exact: true }).click();
    await expect(change).toContainText(/would be/);
    await look(page, 'environment-update-dark');
    await page.keyboard.press('Escape');

    await chooseFromMenu(page, 'fresh', 'Remove Packages…');
    change = dialog(page, 'Remove packages from fresh');
    await change.getByRole('combobox').fill('human');
    const option = change.getByRole('option', { name: /humanize/ });
    await expect(option).toBeVisible();
    await page.keyboard.press('ArrowDown');
    await expect(option).toHaveAttribute('aria-selected', 'true');
    await page.keyboard.press('Enter');
    await previewAndDo(change, 'Remove', /1 package would be removed/);
    await page.keyboard.press('Escape');
    await expect(environment(page, 'fresh')).toContainText('2 packages');

    await panel.getByRole('button', { name: 'Free space…' }).click();
    await expect(dialog(page, 'Free space')).toContainText(/would go|in use/);
    await look(page, 'environments-free-space-dark');
    await page.keyboard.press('Escape');

    await environment(page, 'fresh').focus();
    await page.keyboard.press('Enter');
    await expect(environment(page, 'fresh')).toContainText('sha256:');
    await look(page, 'environment-facts-dark');
    await page.keyboard.press('ContextMenu');
    await page.getByRole('menuitem', { name: 'Delete…' }).click();
    await expect(dialog(page, 'Delete fresh')).toContainText(
      'cannot be undone'
    );
    await look(page, 'environment-delete-dark');
    await page.keyboard.press('Escape');
    await expect(environment(page, 'fresh')).toBeFocused();
  });

  test('closing the dialog ends nothing; Cancel leaves nothing', async ({
    page,
    ownPlace
  }) => {
    const channel = await SlowChannel.open(CHANNEL, 2_000_000);
    try {
      const place = await ownPlace({
        settings: base => withChannel(base, channel.url)
      });
      const panel = page.locator(`#${ENVIRONMENTS}`);
      const born = panel.locator('[data-name="slow"]');
      const begin = async () => {
        await showPanel(page, ENVIRONMENTS);
        await leftWidth(page, 300);
        await panel
          .getByRole('button', { name: 'New environment…' })
          .first()
          .click();
        const open = dialog(page, 'New environment');
        await open.getByLabel('Name').fill('slow');
        await open
          .getByRole('button', { name: 'Preview', exact: true })
          .click();
        await open.getByRole('button', { name: 'Create', exact: true }).click();
        await expect(open.getByRole('progressbar')).toBeVisible();
        return open;
      };
      await openLab(page, place);
      const open = await begin();
      await expect(open).toContainText(/Downloading/);
      await look(page, 'environment-working');
      await noAxeViolations(page, '.jp-Mlinfn-dialog');
      await page.keyboard.press('Escape');
      await expect(born).toContainText(/Downloading/);
      await expect(born.getByRole('progressbar')).toBeVisible();
      await noSidewaysScroll(page, `#${ENVIRONMENTS}`);
      await noAxeViolations(page, `#${ENVIRONMENTS}`);
      await look(page, 'environments-working');

      await page.reload();
      await labReady(page);
      await showPanel(page, ENVIRONMENTS);
      await expect(born.getByRole('progressbar')).toBeVisible();
      await born.getByRole('button', { name: /^Cancel/ }).click();
      await expect(born.getByRole('progressbar')).toHaveCount(0);
      await expect(born).toContainText(/cancel/i);
      await look(page, 'environments-cancelled');
      await expect(environment(page, 'slow')).toHaveCount(0);
      const own = path.join(place.base, 'data/mlinfn/environments/own/slow');
      const left = fs.existsSync(own) ? fs.readdirSync(own) : [];
      expect(left.filter(name => name.startsWith('staging'))).toEqual([]);

      await begin();
      await page.keyboard.press('Escape');
      channel.hurry();
      await expect(environment(page, 'slow')).toContainText('is ready');
      await expect(
        page.getByRole('status', { name: 'Changes of environments' })
      ).toContainText('is ready');
      await look(page, 'environments-ready');
      await environment(page, 'slow')
        .getByRole('button', { name: /^I have read/ })
        .click();
      await expect(environment(page, 'slow')).not.toContainText('is ready');
    } finally {
      await channel.close();
    }
  });
});
