/** Real-time collaboration: the server writes the shared document; submit waits for it. */
import * as fs from 'fs';
import * as path from 'path';

import { openForm, shows, submit } from '../harness/jobs';
import { expect, openLab, test } from '../harness/lab';
import { missed, pythonVersion, tookPart } from '../harness/parts';
import { CHECKOUT } from '../harness/paths';

const COLLAB = path.join(CHECKOUT, '.venvs', 'collab');
const NAME = 'jupyter-collaboration';

test('unsaved edits of a shared notebook are in the job', async ({
  page,
  ownPlace
}) => {
  if (!fs.existsSync(path.join(COLLAB, 'made-from.txt'))) {
    const why = 'ui-tests/collab-venv.sh could not make .venvs/collab';
    missed(NAME, why);
    test.skip(true, why);
  }
  const place = await ownPlace({ on: COLLAB });
  place.notebook('shared.ipynb', ['print("as saved")']);
  await openLab(page, place, 'shared.ipynb');
  await expect(page.locator('.jp-NotebookPanel .cm-content')).toContainText(
    'as saved'
  );
  await page
    .locator('.jp-NotebookPanel .cm-content')
    .first()
    .fill('print("as " + "typed together")');
  await openForm(page);
  const id = await submit(page);
  await shows(page, id, 'succeeded');
  const job = await place.job(id, 'succeeded');
  expect(place.read(job.output ?? '')).toContain('as typed together');
  tookPart(NAME, pythonVersion(COLLAB, NAME));
});
