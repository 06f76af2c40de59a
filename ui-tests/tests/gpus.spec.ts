/** GPUs, simulated by a stand-in for the driver's library; and a machine without any. */
import {
  expect,
  kernelReady,
  leftWidth,
  look,
  noAxeViolations,
  openLab,
  picture,
  RENEW,
  showPanel,
  test
} from '../harness/lab';

const GPUS = 'mlinfn-gpus-panel';

test('cards, slices, holders and a line that moves', async ({
  page,
  place
}) => {
  await openLab(page, place, 'train.ipynb');
  await kernelReady(page);
  await showPanel(page, GPUS);
  await leftWidth(page, 400);
  const panel = page.locator(`#${GPUS}`);
  await expect(panel.getByText('simulated', { exact: true })).toBeVisible();
  const cards = panel.locator('.jp-Mlinfn-card');
  await expect(cards.nth(1)).toBeVisible();
  const cut = cards.filter({ hasText: /cut into/ }).first();
  await expect(cut.locator('.jp-Mlinfn-slice').first()).toContainText(
    '1g.10gb'
  );
  await expect(cut).toContainText('GiB');
  // Which kernels of this machine hold a simulated slice is the simulation's choice.
  await expect(cut).toContainText('.ipynb (you)');
  await expect(panel).toContainText('unknown');
  await expect(
    panel.locator('.jp-Mlinfn-sparkline pattern, .jp-Mlinfn-hatched').first()
  ).toBeAttached();

  const drawn = () =>
    panel
      .locator('.jp-Mlinfn-sparkline path, .jp-Mlinfn-sparkline polyline')
      .evaluateAll(lines =>
        lines
          .map(line => line.getAttribute('d') ?? line.getAttribute('points'))
          .join()
      );
  const before = await drawn();
  await expect.poll(drawn).not.toBe(before);

  const status = page.locator('#jp-bottom-panel').getByTitle('Show the GPUs');
  await expect(status).toContainText(/GPU \d+ (held|free)/);
  await page.waitForTimeout(RENEW ? 50_000 : 0); // a minute of history to look at
  await picture(page, 'gpus', { x: 0, y: 28, width: 440, height: 600 });

  await cards.last().locator('[aria-expanded=false]').first().click();
  await expect(panel).toContainText('Measured by');
  await expect(panel.locator('canvas').first()).toBeVisible();
  await look(page, 'gpu-details');
  await noAxeViolations(page, `#${GPUS}`);
});

test('a machine without a GPU says so calmly', async ({ page, ownPlace }) => {
  const place = await ownPlace();
  await openLab(page, place);
  await showPanel(page, GPUS);
  const panel = page.locator(`#${GPUS}`);
  await expect(panel).toContainText('No GPU here');
  await expect(panel).toContainText('Everything else works without');
  await expect(panel.getByRole('alert')).toHaveCount(0);
  await expect(page.getByTitle('Show the GPUs')).toHaveCount(0);
  await look(page, 'gpus-none');
});
