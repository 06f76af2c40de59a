import * as React from 'react';
import { createRoot } from 'react-dom/client';

import { ApiProblem } from '../../api/errors';
import type { StorageClient } from '../../api/storage';
import type { BucketEntry, UploadPiece } from '../../api/types';
import { Objects } from '../objects';
import { ObjectsModel } from '../objectsmodel';

beforeAll(() => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
});

function entry(path: string, more: Partial<BucketEntry> = {}): BucketEntry {
  return {
    name: path,
    path,
    kind: 'object',
    size: 2048,
    modified: '2026-11-20T13:00:00Z',
    ...more
  };
}

function make(...entries: BucketEntry[]) {
  const client = {
    objects: jest.fn(
      async (_: string, path: string, search: string, more: string | null) => ({
        path,
        entries: more ? [entry('last')] : entries,
        more: more || search ? null : 'next'
      })
    ),
    removeObject: jest.fn(async () => undefined),
    objectUrl: (area: string, path: string) => `/x/${area}?path=${path}`,
    startUpload: jest.fn(async () => ({ id: 'up', piece: 4 })),
    sendPiece: jest.fn(async (_: string, { number }: UploadPiece) => ({
      number,
      mark: `m${number}`
    })),
    endUpload: jest.fn(async () => undefined)
  };
  const model = new ObjectsModel(client as unknown as StorageClient, 'objects');
  return { client, model };
}

const file = (text: string) => new File([text], 'fit.txt');

describe('ObjectsModel', () => {
  it('reads a folder page by page', async () => {
    const { client, model } = make(entry('a'));
    await model.open('runs');
    expect(model.hasMore).toBe(true);
    await model.readOn();
    expect(client.objects).toHaveBeenLastCalledWith(
      'objects',
      'runs',
      '',
      'next'
    );
    expect(model.entries?.map(one => one.path)).toEqual(['a', 'last']);
    expect(model.hasMore).toBe(false);
  });

  it('never shows the names of one folder as those of another', async () => {
    const { client, model } = make(entry('a'));
    await model.open('');
    client.objects.mockRejectedValueOnce(new Error('silent'));
    await model.open('runs');
    expect(model.entries).toBeNull();
    expect(model.error?.message).toBe('silent');
    client.objects.mockRejectedValueOnce(new Error('silent'));
    await model.open('runs');
    await model.open('');
    expect(model.entries).toHaveLength(1);
    client.objects.mockRejectedValueOnce(new Error('silent'));
    await model.open('', 'x');
    expect(model.entries).toHaveLength(1);
  });

  it('sends a file in pieces into the folder that is shown', async () => {
    const { client, model } = make();
    await model.open('runs');
    await model.send(file('0123456789'));
    expect(client.startUpload).toHaveBeenCalledWith(
      'objects',
      'runs/fit.txt',
      false
    );
    expect(
      client.sendPiece.mock.calls.map(([, piece]) => atob(piece.content))
    ).toEqual(['0123', '4567', '89']);
    expect(client.endUpload).toHaveBeenCalledWith('objects', {
      path: 'runs/fit.txt',
      id: 'up',
      pieces: [1, 2, 3].map(number => ({ number, mark: `m${number}` }))
    });
    expect(model.sending).toBeNull();
    expect(model.error).toBeNull();
  });

  it('sends one piece of an empty file', async () => {
    const { client, model } = make();
    await model.send(file(''));
    expect(client.sendPiece).toHaveBeenCalledTimes(1);
  });

  it('throws away what was sent when it fails or is given up', async () => {
    const { client, model } = make();
    client.sendPiece.mockRejectedValueOnce(new Error('silent'));
    await model.send(file('0123456789'));
    expect(model.error?.message).toBe('silent');
    client.sendPiece.mockImplementationOnce(async () => {
      model.cancel();
      return { number: 1, mark: 'm' };
    });
    await model.send(file('0123456789'));
    expect(client.endUpload.mock.calls).toEqual(
      [1, 2].map(() => ['objects', { path: 'fit.txt', id: 'up', pieces: [] }])
    );
  });

  it('writes over nothing without a word', async () => {
    const { client, model } = make();
    const there = new ApiProblem(409, 'object-there', 'There is one.');
    client.startUpload.mockRejectedValueOnce(there);
    const sent = file('01');
    await model.send(sent);
    expect(model.taken).toBe(sent);
    expect(model.error).toBeNull();
    await model.send(sent, true);
    expect(client.startUpload).toHaveBeenLastCalledWith(
      'objects',
      'fit.txt',
      true
    );
    expect(model.taken).toBeNull();
  });
});

describe('Objects', () => {
  async function shown(writable: boolean, ...entries: BucketEntry[]) {
    const { client, model } = make(...entries);
    const node = document.createElement('div');
    document.body.replaceChildren(node);
    await React.act(async () =>
      createRoot(node).render(
        <Objects
          model={model}
          title="Objects"
          writable={writable}
          onClose={() => undefined}
        />
      )
    );
    return { client, node };
  }

  function press(node: HTMLElement, label: string): Promise<void> {
    const found = [...node.querySelectorAll('button')].find(
      one =>
        (one.getAttribute('aria-label') ?? one.textContent?.trim()) === label
    );
    return React.act(async () => found!.click());
  }

  it('says of an empty folder how something comes there', async () => {
    const { node } = await shown(true);
    expect(node.textContent).toContain('This bucket is empty. Upload…');
    const read = await shown(false);
    expect(read.node.textContent).toContain('This bucket is empty.');
    expect(read.node.textContent).not.toContain('Upload…');
  });

  it('leaves the way back to where a folder could not be read', async () => {
    const folder = { size: null, modified: null, kind: 'folder' } as const;
    const { client, node } = await shown(true, entry('runs', folder));
    client.objects.mockRejectedValueOnce(new Error('The store is silent.'));
    await press(node, 'runs/');
    expect(node.textContent).toContain('The store is silent.');
    await press(node, 'Top folder');
    expect(node.textContent).toContain('runs/');
  });

  it('asks before it deletes', async () => {
    const { client, node } = await shown(true, entry('fit.root'));
    await press(node, 'Delete fit.root…');
    expect(client.removeObject).not.toHaveBeenCalled();
    await press(node, 'Delete fit.root for ever');
    expect(client.removeObject).toHaveBeenCalledWith('objects', 'fit.root');
  });

  it('lets the browser save, and shows names as text', async () => {
    const odd = '<img src=x onerror=alert(1)>';
    const { client, node } = await shown(
      false,
      entry(odd),
      entry('a//b', { kind: 'odd' }),
      entry('runs', { kind: 'folder', size: null, modified: null })
    );
    expect(node.querySelector('img')).toBeNull();
    expect(node.textContent).toContain(odd);
    expect(node.textContent).toContain('2.0 KiB');
    const links = [...node.querySelectorAll('a')];
    expect(links.map(one => one.getAttribute('href'))).toEqual([
      `/x/objects?path=${odd}`
    ]);
    expect(node.textContent).not.toContain('Delete…');
    expect(node.textContent).not.toContain('Upload…');
    await press(node, 'runs/');
    expect(client.objects).toHaveBeenLastCalledWith(
      'objects',
      'runs',
      '',
      null
    );
  });
});
