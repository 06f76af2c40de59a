import { ApiProblem, ServerSilent } from '../../api/errors';
import type { StorageClient } from '../../api/storage';
import type { RestoreTask } from '../../api/types';
import { BackupsModel } from '../backupsmodel';
import { StorageModel } from '../model';
import { copy, entry, state, task } from './fixtures';

const AT = '2026-11-22T10:00:00Z';

describe('StorageModel', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  function make(counting: boolean) {
    const restores: RestoreTask[] = [];
    const areas = jest.fn(async () => ({
      areas: [state({ counting })],
      restores: [...restores],
      taken_at: AT
    }));
    const model = new StorageModel({ areas } as unknown as StorageClient);
    return { areas, model, restores };
  }

  it('asks when somebody looks, and never by the clock', async () => {
    const { areas, model } = make(false);
    const watching = model.watch();
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(areas).toHaveBeenCalledTimes(1);
    watching.dispose();
    model.watch();
    await jest.advanceTimersByTimeAsync(0);
    expect(areas).toHaveBeenCalledTimes(2);
  });

  it('asks again while something is counted and somebody looks', async () => {
    const { areas, model } = make(true);
    const watching = model.watch();
    await jest.advanceTimersByTimeAsync(4000);
    expect(areas.mock.calls.length).toBeGreaterThan(2);
    watching.dispose();
    const before = areas.mock.calls.length;
    await jest.advanceTimersByTimeAsync(600_000);
    expect(areas).toHaveBeenCalledTimes(before);
  });

  it('follows a restore that was begun before this page, until it ends', async () => {
    const { areas, model, restores } = make(false);
    restores.push(task({ state: 'done', id: 'old', text: 'It is back.' }));
    restores.push(task());
    const watching = model.watch();
    await jest.advanceTimersByTimeAsync(0);
    expect(model.restoresOf('collab').map(one => one.state)).toEqual([
      'running'
    ]);
    expect(model.restoresOf('other')).toEqual([]);
    restores[1] = task({ state: 'done', text: 'Back.' });
    await jest.advanceTimersByTimeAsync(2000);
    expect(model.restoresOf('collab').map(one => one.text)).toEqual(['Back.']);
    const before = areas.mock.calls.length;
    await jest.advanceTimersByTimeAsync(600_000);
    expect(areas).toHaveBeenCalledTimes(before);
    model.markRead(task().id);
    expect(model.restoresOf('collab')).toEqual([]);
    watching.dispose();
  });

  it('tells of a restore that was ended from outside until it was read', async () => {
    const { model, restores } = make(false);
    restores.push(task({ state: 'failed', text: 'Restore it again.' }));
    await model.refresh();
    expect(model.restoresOf('collab')).toHaveLength(1);
    model.markRead(task().id);
    expect(model.restoresOf('collab')).toHaveLength(0);
  });

  it('keeps what it knew when the server does not answer', async () => {
    const { areas, model } = make(false);
    await model.refresh();
    areas.mockRejectedValueOnce(new Error('silent'));
    await model.refresh();
    expect(model.list?.areas).toHaveLength(1);
    expect(model.error?.message).toBe('silent');
  });
});

describe('BackupsModel', () => {
  function make(
    ends: Partial<RestoreTask> = { state: 'done', text: 'Back.' },
    begun: RestoreTask | null = null
  ) {
    const copies = [copy('20261120T140000Z'), copy('20261119T140000Z')];
    const gone = [entry('fit.py', { deleted: true })];
    const client = {
      backups: jest.fn(async () => ({ copies })),
      deleted: jest.fn(async (_: string, id: string) => ({
        copy_id: id,
        entries: gone,
        complete: true
      })),
      browse: jest.fn(async (_: string, id: string, path: string) => ({
        copy_id: id,
        path,
        entries: gone,
        more: 0
      })),
      restore: jest.fn(async () => task()),
      task: jest.fn(async () => task(ends)),
      cancel: jest.fn(async () => task())
    };
    const restored = jest.fn();
    const model = new BackupsModel(
      client as unknown as StorageClient,
      'collab',
      restored,
      begun
    );
    return { client, restored, model };
  }

  it('opens with the newest copy and what was deleted since', async () => {
    const { model } = make();
    await model.load();
    expect(model.chosen?.id).toBe('20261120T140000Z');
    expect(model.deleted?.entries[0].path).toBe('fit.py');
    expect(model.folder?.path).toBe('');
  });

  it('restores, tells of it, and looks again', async () => {
    const { client, model, restored } = make();
    await model.load();
    await model.open('analysis');
    await model.restore(entry('fit.py', { deleted: true }), 'back');
    expect(client.restore).toHaveBeenCalledWith('collab', {
      copy_id: '20261120T140000Z',
      path: 'fit.py',
      where: 'back'
    });
    expect(model.task?.text).toBe('Back.');
    expect(restored).toHaveBeenCalledTimes(1);
    expect(client.browse).toHaveBeenLastCalledWith(
      'collab',
      '20261120T140000Z',
      'analysis'
    );
    expect(model.busy).toBe(false);
  });

  it('says when a restore failed, and that nothing is new', async () => {
    const { model, restored } = make({ state: 'failed', text: 'No room.' });
    await model.load();
    await model.restore(entry('fit.py'), 'beside');
    expect(model.task?.text).toBe('No room.');
    expect(restored).not.toHaveBeenCalled();
  });

  it('goes on with a restore that was begun before', async () => {
    const { client, model, restored } = make(undefined, task());
    expect(model.busy).toBe(true);
    await model.load();
    expect(client.restore).not.toHaveBeenCalled();
    expect(model.task?.text).toBe('Back.');
    expect(restored).toHaveBeenCalledTimes(1);
  });

  it('does not forget a restore while the server starts again', async () => {
    const { client, model } = make(undefined, task());
    let release: () => void = () => undefined;
    const again = new Promise<void>(resolve => (release = resolve));
    client.task.mockImplementationOnce(async () => {
      throw new ServerSilent();
    });
    client.task.mockImplementationOnce(async () => {
      await again;
      return task({ state: 'done', text: 'Back.' });
    });
    const loading = model.load();
    while (client.task.mock.calls.length < 2) {
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    expect(model.task?.state).toBe('running');
    expect(model.silent).toBeInstanceOf(ServerSilent);
    release();
    await loading;
    expect(model.silent).toBeNull();
    expect(model.task?.text).toBe('Back.');
  });

  it('forgets a restore that the server does not know any more', async () => {
    const { client, model } = make(undefined, task());
    client.task.mockImplementation(async () => {
      throw new ApiProblem(404, 'no-such-task', 'Not known any more.');
    });
    await model.load();
    expect(model.task).toBeNull();
    expect(model.busy).toBe(false);
  });

  it('begins one restore at a time', async () => {
    const { client, model } = make();
    await model.load();
    const first = model.restore(entry('a'), 'beside');
    const second = model.restore(entry('b'), 'beside');
    await Promise.all([first, second]);
    expect(client.restore).toHaveBeenCalledTimes(1);
  });

  it('shows the folder that was asked for last', async () => {
    const { client, model } = make();
    await model.load();
    let release: () => void = () => undefined;
    const slow = new Promise<void>(resolve => (release = resolve));
    const plain = client.browse.getMockImplementation()!;
    client.browse.mockImplementationOnce(async (...args) => {
      await slow;
      return plain(...args);
    });
    const first = model.open('slow');
    await model.open('fast');
    release();
    await first;
    expect(model.folder?.path).toBe('fast');
  });
});
