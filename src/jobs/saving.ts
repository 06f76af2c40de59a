import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';

import type { ISaved } from '../api/live';
import type { SaveRequest } from '../api/types';

const LONGEST_SAVE = 30_000;
/** Under collaboration the server writes a second after the last change. */
const BY_ITSELF = 4_000;

/**
 * Write a document's unsaved changes to disk.
 *
 * Under real-time collaboration the server writes, a moment later: wait until the document
 * says that it is written. A save of ours at that moment would be taken for a conflict, so it
 * comes only where the server does not write by itself. Rejects when the document is not written
 * thirty seconds after that.
 */
export async function saveDocument(
  context: DocumentRegistry.Context
): Promise<void> {
  await context.ready;
  const { model } = context;
  if (
    !model.dirty ||
    (model.collaborative && (await written(model, BY_ITSELF)))
  ) {
    return;
  }
  await context.save();
  if (model.collaborative && !(await written(model, LONGEST_SAVE))) {
    throw new Error('The shared document is not saved yet.');
  }
}

/** Whether everything is written at the latest after some milliseconds. */
function written(
  model: DocumentRegistry.IModel,
  within: number
): Promise<boolean> {
  return new Promise(resolve => {
    const done = () => {
      window.clearTimeout(timer);
      model.stateChanged.disconnect(look);
      resolve(!model.dirty);
    };
    const look = () => {
      if (!model.dirty) {
        done();
      }
    };
    const timer = window.setTimeout(done, within);
    model.stateChanged.connect(look);
    look();
  });
}

/** The open notebook of a kernel, or at a path; `null` when it is not open on this page. */
export function findNotebook(
  tracker: INotebookTracker,
  contents: Contents.IManager,
  request: Pick<SaveRequest, 'kernel_id' | 'path'>
): NotebookPanel | null {
  const byKernel = tracker.find(
    panel =>
      request.kernel_id !== null &&
      panel.sessionContext.session?.kernel?.id === request.kernel_id
  );
  const byPath = () =>
    tracker.find(
      panel =>
        request.path !== null &&
        contents.localPath(panel.context.path) === request.path
    );
  return byKernel ?? byPath() ?? null;
}

/** Answer the server's request to save a notebook that is open here. */
export async function answerSave(
  tracker: INotebookTracker,
  contents: Contents.IManager,
  request: SaveRequest
): Promise<ISaved | null> {
  const panel = findNotebook(tracker, contents, request);
  if (!panel) {
    return null;
  }
  try {
    await saveDocument(panel.context);
  } catch (error) {
    return {
      path: contents.localPath(panel.context.path),
      ok: false,
      error: String(error)
    };
  }
  return { path: contents.localPath(panel.context.path), ok: true };
}
