import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import type { Task, TaskRequest } from '../../api/types';
import { Environments } from '../panel';
import type { IEnvironmentActions } from '../actions';
import { Export } from '../export';
import { Share } from '../share';
import { TaskModel } from '../taskmodel';
import { ended, own, server, task } from './fixtures';

const actions = new Proxy(
  {},
  { get: () => () => undefined }
) as unknown as IEnvironmentActions;
const WORK = task({ id: 'cccccccccccccccc', action: 'share' });
const DIGEST = own().digest ?? '';
const IMAGE = {
  path: '/data/images/ab.sqfs',
  format: 'squashfs' as const,
  digest: `sha256:${'cd'.repeat(32)}`,
  size: 3 * 1024 ** 2,
  compressor: 'zstd',
  lock: DIGEST,
  made_at: '2026-11-21T08:00:00Z',
  base: null
};

describe('what is done without a preview', () => {
  let asked: TaskRequest[];
  let house: ReturnType<typeof server>;
  let model: TaskModel;

  beforeEach(() => {
    asked = [];
    house = server({
      startTask: async (request: TaskRequest) => {
        asked.push(request);
        return WORK;
      },
      task: async (): Promise<Task> => WORK
    });
    house.model.watch();
    house.full();
    model = new TaskModel(house.model);
  });

  afterEach(() => model.dispose());

  it('begins at once and is followed to its end', async () => {
    jest.useFakeTimers();
    void model.begin({ action: 'share', name: 'mine', folder: '/group' });
    await jest.advanceTimersByTimeAsync(0);
    expect(asked).toEqual([
      { action: 'share', name: 'mine', folder: '/group' }
    ]);
    expect(model.step).toBe('working');
    house.changed([ended(WORK, 'succeeded', 'It is shared.')]);
    expect(model.step).toBe('ended');
    jest.useRealTimers();
  });

  const share = (images: (typeof IMAGE)[]) =>
    renderToStaticMarkup(
      <Share
        model={model}
        environment={own({ images, packed: images.length > 0 })}
        onClose={() => undefined}
      />
    );

  it('offers to pack what others could not run', () => {
    expect(share([])).toContain('Pack it first');
    expect(share([IMAGE])).not.toContain('Pack it first');
    expect(share([IMAGE])).toContain('3.0 MiB');
  });

  it('takes neither a layer nor the file of an earlier state for packed', () => {
    const base = { path: '/base.sqfs', digest: IMAGE.digest };
    expect(share([{ ...IMAGE, base } as never])).toContain('Pack it first');
    const old = `sha256:${'00'.repeat(32)}`;
    expect(share([{ ...IMAGE, lock: old }])).toContain('Pack it first');
  });

  it('shows in the panel what concerns all environments', () => {
    house.changed([
      task({
        id: 'dddddddddddddddd',
        action: 'gc',
        name: '',
        event: {
          at: '2026-11-21T08:00:01Z',
          phase: 'removing',
          text: 'mine@ab',
          done: 2,
          total: 9,
          unit: ''
        }
      })
    ]);
    const html = renderToStaticMarkup(
      <Environments model={house.model} actions={actions} />
    );
    expect(html).toContain('Removing');
    expect(html).toContain('2 of 9');
  });

  it('locks for other machines by a button of its own', () => {
    const html = renderToStaticMarkup(
      <Export model={model} environment={own()} onClose={() => undefined} />
    );
    expect(html).toContain('linux-aarch64');
    expect(html).not.toContain('Lock for these platforms');
  });
});
