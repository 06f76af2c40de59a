/**
 * The same notebook and form go to this machine, to a real Slurm and to a real HTCondor without an
 * edit: equal weights for equal parameters, others for others.
 */
import type { Page } from '@playwright/test';

import { openForm, shows, submit } from '../harness/jobs';
import { expect, look, openLab, test } from '../harness/lab';
import type { Place } from '../harness/place';

/** A seeded training whose weights, in a file, and whose metric depend on its parameters. */
const TRAINING = `import hashlib, json, random
import mlinfn
rng = random.Random(seed)
weights = [rng.gauss(0, 1) for _ in range(50)]
for step in range(200):
    weights = [w - rate * (w - 0.1 * i) for i, w in enumerate(weights)]
open("weights.json", "w").write(json.dumps(weights))
mlinfn.record(loss=sum(abs(w - 0.1 * i) for i, w in enumerate(weights)))
print("weights", hashlib.sha256(open("weights.json", "rb").read()).hexdigest())`;

/** Submit the open notebook to a place with a learning rate; the job's id. */
async function send(page: Page, place: string, rate: string): Promise<string> {
  await page.getByRole('tab', { name: 'training.ipynb' }).first().click();
  const open = await openForm(page);
  await open.getByLabel('rate').fill(rate);
  await open.getByLabel('Place').selectOption(place);
  const id = await submit(page);
  await shows(page, id, 'succeeded', 300);
  return id;
}

/** What a job made: the digest of its weights, and its metric. */
async function made(place: Place, id: string): Promise<string> {
  const job = await place.job(id, 'succeeded');
  const { cells } = JSON.parse(place.read(job.output ?? ''));
  const lines: string[] = cells
    .flatMap((cell: { outputs?: { text?: string[] }[] }) => cell.outputs ?? [])
    .flatMap((output: { text?: string[] }) => output.text ?? []);
  const weights = lines.find(line => line.startsWith('weights')) ?? '';
  expect(weights).toMatch(/^weights [0-9a-f]{64}/);
  expect(job.progress?.values).toHaveProperty('loss');
  return `${weights.trim()} ${JSON.stringify(job.progress?.values)}`;
}

test('this machine, Slurm and HTCondor make the same of the same', async ({
  page,
  ownPlace,
  system
}) => {
  const systems = [await system('Slurm'), await system('HTCondor')];
  const [slurm, pool] = systems;
  test.skip(!slurm || !pool, 'no Slurm or no HTCondor can be had here');
  const settings = () => systems.flatMap(one => one?.settings() ?? []);
  const place = await ownPlace({ settings });
  place.notebook('training.ipynb', ['rate = 0.1\nseed = 7', TRAINING], {
    parameters: true
  });
  await openLab(page, place, 'training.ipynb');
  const here = await made(place, await send(page, 'This machine', '0.1'));
  const there = await made(place, await send(page, 'Slurm', '0.1'));
  const away = await made(place, await send(page, 'HTCondor', '0.1'));
  await look(page, 'three-places');
  expect([there, away]).toEqual([here, here]);
  const other = await made(place, await send(page, 'HTCondor', '0.2'));
  expect(other).not.toEqual(here);
  expect(await made(place, await send(page, 'Slurm', '0.2'))).toEqual(other);
});
