import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { StorageClient } from '../../api/storage';
import type { AreaState } from '../../api/types';
import { Backups } from '../backups';
import { BackupsModel } from '../backupsmodel';
import { StorageModel } from '../model';
import { Storage } from '../panel';
import { bucket, copy, entry, state, task } from './fixtures';

beforeAll(() => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
});

async function shown(view: React.ReactElement): Promise<HTMLElement> {
  const node = document.createElement('div');
  document.body.replaceChildren(node);
  await React.act(async () => createRoot(node).render(view));
  return node;
}

function press(node: HTMLElement, label: string): Promise<void> {
  const found = [...node.querySelectorAll('button')].find(
    one => (one.getAttribute('aria-label') ?? one.textContent) === label
  );
  return React.act(async () => found!.click());
}

describe('Storage', () => {
  const actions = {
    open: jest.fn(),
    browse: jest.fn(),
    showBackups: jest.fn()
  };

  async function panel(...areas: AreaState[]) {
    const client = {
      areas: async () => ({
        areas,
        restores: [task(), task({ id: 'b', state: 'failed', text: 'Again.' })],
        taken_at: '2026-11-22T10:00:00Z'
      }),
      removeNote: jest.fn(async () => undefined)
    };
    const model = new StorageModel(client as unknown as StorageClient);
    await model.refresh();
    const node = await shown(<Storage model={model} actions={actions} />);
    return { node, client };
  }

  it('says of each area where it is, how full and who sees it', async () => {
    const { node } = await panel(state({ copies: 2, newest: '2026-11-20' }));
    expect(node.textContent).toContain('/data/ours');
    expect(node.textContent).toContain('3.0 / 20.0 GiB of the quota');
    expect(node.textContent).toContain('seen by batch nodes (slurm)');
    const bar = node.querySelector('[role=progressbar]');
    expect(bar?.getAttribute('aria-valuenow')).toBe('15');
    await press(node, 'Open Our group in the file browser');
    expect(actions.open).toHaveBeenCalledTimes(1);
    await press(node, 'Backups of Our group');
    expect(actions.showBackups).toHaveBeenCalledTimes(1);
  });

  it('tells of restores until they were read', async () => {
    const { node } = await panel(state());
    expect(node.textContent).toContain('Restoring fit.py: 0 files, 0 B so far');
    expect(node.textContent).toContain('Again.');
    await press(node, 'I have read what happened to fit.py');
    expect(node.textContent).not.toContain('Again.');
    expect(node.textContent).toContain('Restoring fit.py');
  });

  it('opens a bucket, and says how programs reach it', async () => {
    const { node } = await panel(bucket());
    expect(node.textContent).toContain('s3://people/homes/ada');
    expect(node.textContent).toContain('profile ‘objects’');
    await press(node, 'Look into Objects');
    expect(actions.browse).toHaveBeenCalledTimes(1);
  });

  it('draws no bar for what is silent', async () => {
    const problem = 'The area has not answered since 10:00.';
    const { node } = await panel(
      state({ state: 'silent', problem, use: null })
    );
    expect(node.textContent).toContain(problem);
    expect(node.querySelector('[role=progressbar]')).toBeNull();
    expect(node.textContent).not.toContain('Say what you work on');
  });

  it('shows notes of others as text, and takes back one’s own', async () => {
    const note = {
      id: '0'.repeat(16),
      person: 'ben',
      text: '<img src=x onerror=alert(1)>',
      path: 'fits',
      since: '2026-11-22T09:00:00Z',
      mine: false
    };
    const mine = { ...note, id: '1'.repeat(16), text: 'mine', mine: true };
    const { node, client } = await panel(state({ notes: [note, mine] }));
    expect(node.querySelector('img')).toBeNull();
    expect(node.textContent).toContain('<img src=x onerror=alert(1)>');
    await press(node, 'Remove your note: mine');
    expect(client.removeNote).toHaveBeenCalledWith('collab', mine.id);
  });
});

describe('Backups', () => {
  it('offers one click for what was deleted, two for what is there', async () => {
    const gone = entry('fit.py', { deleted: true });
    const there = entry('notes.txt');
    const client = {
      backups: async () => ({ copies: [copy('20261120T140000Z')] }),
      deleted: async () => ({ copy_id: '', entries: [gone], complete: true }),
      browse: async () => ({
        copy_id: '',
        path: '',
        entries: [gone, there],
        more: 0
      }),
      restore: jest.fn(async () => task({ state: 'done', text: 'It is back.' }))
    };
    const model = new BackupsModel(
      client as unknown as StorageClient,
      'collab',
      () => undefined
    );
    const node = await shown(
      <Backups model={model} title="Our group" onClose={() => undefined} />
    );
    const lists = [...node.querySelectorAll('ul')];
    expect(lists[0].textContent).toContain('fit.py');
    expect(lists[0].textContent).not.toContain('notes.txt');
    await press(node, 'Restore fit.py');
    expect(client.restore).toHaveBeenCalledWith(
      'collab',
      expect.objectContaining({ path: 'fit.py', where: 'back' })
    );
    expect(node.querySelector('[role=status]')?.textContent).toContain(
      'It is back.'
    );
    await press(node, 'Restore beside: notes.txt');
    expect(client.restore).toHaveBeenLastCalledWith(
      'collab',
      expect.objectContaining({ path: 'notes.txt', where: 'beside' })
    );
  });
});
