import { look, openLab, showPanel, test } from '../harness/lab';

test('the panels are in the left side bar', async ({ page, place }) => {
  await openLab(page, place);
  for (const id of ['mlinfn-jobs-panel']) {
    await showPanel(page, id);
  }
  await look(page, 'panels');
});
