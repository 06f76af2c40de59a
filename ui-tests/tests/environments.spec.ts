/** The environments behind this server's kernels, and the way from there to a job. */
import { form, shows, submit } from '../harness/jobs';
import {
  expect,
  leftWidth,
  look,
  openLab,
  picture,
  showPanel,
  test
} from '../harness/lab';

const ENVIRONMENTS = 'mlinfn-environments-panel';

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
  await expect(rows.first()).toContainText(/files/, { timeout: 60_000 });
  await picture(page, 'environments', { x: 0, y: 28, width: 440, height: 420 });

  await panel.getByRole('searchbox').fill('no such package');
  await expect(panel).toContainText('No environment is like this');
  await look(page, 'environments-none');
  await panel.getByRole('searchbox').fill('numpy');
  await expect(rows.first()).toBeVisible();

  await panel
    .getByRole('button', { name: /Use for job/ })
    .first()
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
