import { ServerConnection } from '@jupyterlab/services';

import type { Client } from '../../api/client';
import { drivePath, jobOfPath, JobsDrive } from '../drive';

const asked: string[] = [];
const client = {
  settings: ServerConnection.makeSettings(),
  notebook: async (id: string) => {
    asked.push(id);
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
