import { ServerConnection } from '@jupyterlab/services';

import type { Client } from '../../api/client';
import { drivePath, jobOfPath, JobsDrive } from '../drive';

const asked: string[] = [];
const client = {
  settings: ServerConnection.makeSettings(),
  notebook: async (id: string) => {
    asked.push(id);
    return { content: { cells: [] }, final: false, modified: '2026-11-21' };
  },
  pointNotebook: async (id: string, point: number) => {
    asked.push(`${id} ${point}`);
    return { content: { cells: [] }, final: false, modified: '2026-11-21' };
  }
} as unknown as Client;

it('names a notebook as people know it, and finds its job again', () => {
  const path = drivePath('aaaaaaaaaa', 'sub/train.ipynb');
  expect(path).toBe('MlinfnJobs:aaaaaaaaaa/train.ipynb');
  expect(jobOfPath(path)).toBe('aaaaaaaaaa');
  expect(jobOfPath('aaaaaaaaaa/train.ipynb')).toBe('aaaaaaaaaa');
});

it('serves the notebook of a job, read-only', async () => {
  const found = await new JobsDrive(client).get('aaaaaaaaaa/train.ipynb');
  expect(found).toMatchObject({
    name: 'train.ipynb',
    type: 'notebook',
    format: 'json',
    writable: false,
    content: { cells: [] }
  });
  expect(asked).toEqual(['aaaaaaaaaa']);
});

it('has a notebook for each point of a sweep', async () => {
  const path = drivePath('aaaaaaaaaa', 'sub/train.ipynb', 12);
  expect(path).toBe('MlinfnJobs:aaaaaaaaaa/12/train-point-12.ipynb');
  expect(jobOfPath(path)).toBe('aaaaaaaaaa');
  asked.length = 0;
  await new JobsDrive(client).get('aaaaaaaaaa/12/train-point-12.ipynb');
  expect(asked).toEqual(['aaaaaaaaaa 12']);
});

it('is an empty folder at its root', async () => {
  const root = await new JobsDrive(client).get('');
  expect(root).toMatchObject({ type: 'directory', content: [] });
});

it('refuses every change, saying why', async () => {
  const drive = new JobsDrive(client);
  for (const change of [
    () => drive.save(),
    () => drive.delete(),
    () => drive.rename(),
    () => drive.copy(),
    () => drive.newUntitled()
  ]) {
    await expect(change()).rejects.toThrow('can be read only');
  }
});
