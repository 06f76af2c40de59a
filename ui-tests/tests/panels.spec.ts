import { expect, test } from '@jupyterlab/galata';

test('the panels are in the left side bar', async ({ page }) => {
  for (const id of ['mlinfn-jobs-panel']) {
    await page.sidebar.openTab(id);
    await expect(page.locator(`#${id}`)).toBeVisible();
  }
});
