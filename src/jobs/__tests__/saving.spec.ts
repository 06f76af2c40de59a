import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import { answerSave, saveDocument } from '../saving';

interface IFake {
  path?: string;
  kernel?: string;
  dirty?: boolean;
  collaborative?: boolean;
  failure?: Error;
}

function document(fake: IFake) {
  const saves: string[] = [];
  const model = {
    dirty: fake.dirty ?? true,
    collaborative: fake.collaborative ?? false
  };
  const stateChanged = new Signal<object, void>(model);
  Object.assign(model, { stateChanged });
  const context = {
    path: fake.path ?? 'train.ipynb',
    ready: Promise.resolve(),
    model,
    save: async () => {
      if (fake.failure) {
        throw fake.failure;
      }
      saves.push(context.path);
      model.dirty = model.collaborative;
    }
  };
  const written = () => {
    model.dirty = false;
    stateChanged.emit();
  };
  const panel = {
    context,
    sessionContext: { session: { kernel: { id: fake.kernel ?? 'k1' } } }
  };
  return {
    context: context as unknown as DocumentRegistry.Context,
    panel,
    saves,
    written
  };
}

describe('saveDocument', () => {
  it('saves what is not saved', async () => {
    const { context, saves } = document({});
    await saveDocument(context);
    expect(saves).toHaveLength(1);
  });

  it('leaves alone what is', async () => {
    const { context, saves } = document({ dirty: false });
    await saveDocument(context);
    expect(saves).toHaveLength(0);
  });

  it('waits until the server has written a shared document', async () => {
    const { context, saves, written } = document({ collaborative: true });
    let done = false;
    const saving = saveDocument(context).then(() => {
      done = true;
    });
    await new Promise(resolve => setTimeout(resolve, 10));
    expect(done).toBe(false);
    written();
    await saving;
    expect(done).toBe(true);
    expect(saves).toEqual([]); // two that write at once would be a conflict
  });

  it('says so when a shared document is never written', async () => {
    jest.useFakeTimers();
    const { context } = document({ collaborative: true });
    const saving = expect(saveDocument(context)).rejects.toThrow(
      'not saved yet'
    );
    await jest.advanceTimersByTimeAsync(35_000);
    await saving;
    jest.useRealTimers();
  });
});

describe('answerSave', () => {
  const contents = {
    localPath: (path: string) => path.replace(/^RTC:/, '')
  } as unknown as Contents.IManager;

  const ask = (
    open: ReturnType<typeof document>[],
    request: { kernel_id: string | null; path: string | null }
  ) => {
    const panels = open.map(one => one.panel);
    const tracker = {
      find: (test: (panel: object) => boolean) => panels.find(test)
    } as unknown as INotebookTracker;
    return answerSave(tracker, contents, {
      type: 'save',
      request: 'r',
      ...request
    });
  };

  it('finds the notebook by its kernel, and names its path now', async () => {
    const renamed = document({ path: 'RTC:new.ipynb', kernel: 'k2' });
    const answer = await ask([document({}), renamed], {
      kernel_id: 'k2',
      path: 'old.ipynb'
    });
    expect(answer).toEqual({ path: 'new.ipynb', ok: true });
    expect(renamed.saves).toHaveLength(1);
  });

  it('finds it by its path', async () => {
    const answer = await ask([document({ kernel: 'k9' })], {
      kernel_id: null,
      path: 'train.ipynb'
    });
    expect(answer).toEqual({ path: 'train.ipynb', ok: true });
  });

  it('answers nothing for what is not open here', async () => {
    const request = { kernel_id: 'k7', path: 'other.ipynb' };
    expect(await ask([document({})], request)).toBeNull();
  });

  it('says what went wrong', async () => {
    const failure = new Error('The disk is full');
    const answer = await ask([document({ failure })], {
      kernel_id: 'k1',
      path: null
    });
    expect(answer).toEqual({
      path: 'train.ipynb',
      ok: false,
      error: 'Error: The disk is full'
    });
  });
});
