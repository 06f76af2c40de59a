/** What a log of 100 MB costs the browser that follows it: the page's heap before and after. */
import type { CDPSession, Locator } from '@playwright/test';
import * as fs from 'fs';
import * as path from 'path';

import { JOBS, openJob } from '../harness/jobs';
import { expect, openLab, showPanel, test } from '../harness/lab';
import { until } from '../harness/processes';

const MB = 1_000_000;
const PIECES = 9;
const PIECE = 11 * MB;
const PATIENCE = 600_000;
const LINE = `${'x'.repeat(99)}\n`;
const JOB = `import time
for number in range(1200):
    print("tick", number, flush=True)
    time.sleep(0.25)
`;

/** Bytes of JavaScript objects in use; `tidy`: after what is not needed any more has gone. */
async function heap(session: CDPSession, tidy: boolean): Promise<number> {
  if (tidy) {
    await session.send('HeapProfiler.collectGarbage');
  }
  return (await session.send('Runtime.getHeapUsage')).usedSize;
}

/** The last of what a log shows, without a copy of all of it in the page. */
function tail(log: Locator): Promise<string> {
  return log.evaluate(node => {
    const text = node.lastChild as Text;
    const length = Math.min(4000, text.length);
    return text.substringData(text.length - length, length);
  });
}

test('a log of 100 MB', async ({ page, ownPlace }) => {
  const place = await ownPlace({});
  fs.writeFileSync(path.join(place.root, 'ticks.py'), JOB);
  const told = await place.mlinfn('submit', '--json', 'ticks.py');
  const id = JSON.parse(told).id as string;
  const log = path.join(
    place.base,
    'data/mlinfn/jobs',
    id,
    'attempts/1/log.txt'
  );
  await until('the first line', async () => fs.existsSync(log), 60);
  await openLab(page, place);
  await showPanel(page, JOBS);
  const session = await page.context().newCDPSession(page);
  const before = await heap(session, true);
  const tab = await openJob(page, id);
  const shown = tab.getByLabel('Log of the job');
  await expect(shown).toContainText('tick');
  let most = 0;
  for (let piece = 1; piece <= PIECES; piece++) {
    fs.appendFileSync(
      log,
      LINE.repeat(PIECE / LINE.length) + `part ${piece}\n`
    );
    const limit = Date.now() + PATIENCE;
    while (!(await tail(shown)).includes(`part ${piece}\n`)) {
      expect(Date.now()).toBeLessThan(limit);
      most = Math.max(most, (await heap(session, false)) - before);
      await page.waitForTimeout(250);
    }
  }
  const after = (await heap(session, true)) - before;
  fs.writeFileSync(
    process.env.MLINFN_MEASURED!,
    JSON.stringify({ after, most, log: fs.statSync(log).size })
  );
});
