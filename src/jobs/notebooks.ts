import type { IEditorServices } from '@jupyterlab/codeeditor';
import { WidgetTracker } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { ICodeCellModel } from '@jupyterlab/cells';
import type { INotebookContent } from '@jupyterlab/nbformat';
import { isCode } from '@jupyterlab/nbformat';
import type { INotebookModel } from '@jupyterlab/notebook';
import { NotebookPanel, NotebookWidgetFactory } from '@jupyterlab/notebook';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { JSONExt, Token } from '@lumino/coreutils';
import { Poll } from '@lumino/polling';
import { Widget } from '@lumino/widgets';

import type { Client } from '../api/client';
import type { LiveSocket } from '../api/live';
import { jobsIcon } from '../components/icons';
import { readNotebook } from './drive';
import { joinLines } from './multiline';

export const JOB_NOTEBOOK = 'Notebook of a job';

const LOOK_EVERY = 2_000;

/** A notebook view without kernel and without buttons that would need one. */
export function jobNotebookFactory(
  contentFactory: NotebookPanel.IContentFactory,
  editors: IEditorServices,
  rendermime: IRenderMimeRegistry
): NotebookWidgetFactory {
  return new NotebookWidgetFactory({
    name: JOB_NOTEBOOK,
    label: JOB_NOTEBOOK,
    fileTypes: ['notebook'],
    modelName: 'notebook',
    readOnly: true,
    preferKernel: false,
    canStartKernel: false,
    contentFactory,
    mimeTypeService: editors.mimeTypeService,
    rendermime,
    toolbarFactory: () => [{ name: 'note', widget: note() }]
  });
}

function note(): Widget {
  const widget = new Widget();
  widget.addClass('jp-Mlinfn-note');
  widget.node.textContent = 'follows the job';
  widget.node.title = 'What the job has written so far; it updates by itself.';
  return widget;
}

/** Keeps the open notebooks of jobs up to date while their jobs run. */
export class JobNotebooks {
  constructor(
    private readonly _client: Client,
    private readonly _live: LiveSocket
  ) {}

  static readonly token = new Token<JobNotebooks>(
    'jupyter_mlinfn:JobNotebooks',
    'The open notebooks of jobs.'
  );

  readonly tracker = new WidgetTracker<NotebookPanel>({
    namespace: 'mlinfn-job-notebook'
  });

  /** Follow a notebook that was just opened. */
  follow(panel: NotebookPanel): void {
    panel.title.icon = jobsIcon;
    void this.tracker.add(panel);
    let shown = '';
    let final = false;
    const poll = new Poll({
      name: `mlinfn-notebook-${panel.id}`,
      frequency: { interval: LOOK_EVERY, backoff: true, max: 30_000 },
      standby: () =>
        final ||
        !panel.isVisible ||
        document.hidden ||
        this._live.status === 'paused',
      factory: async () => {
        const notebook = await readNotebook(this._client, panel.context.path);
        await panel.context.ready;
        if (notebook.modified !== shown && !panel.isDisposed) {
          shown = notebook.modified;
          const content = notebook.content as INotebookContent;
          await show(panel.context, joinLines(content));
        }
        final = notebook.final;
      }
    });
    panel.disposed.connect(() => poll.dispose(), poll);
  }
}

/** Put new outputs into the open notebook in place, so that the reader's place is kept. */
async function show(
  context: DocumentRegistry.IContext<INotebookModel>,
  content: INotebookContent
): Promise<void> {
  const { cells } = context.model;
  const same =
    cells.length === content.cells.length &&
    content.cells.every((cell, index) => {
      const shown = cells.get(index);
      return shown.type === cell.cell_type && shown.id === cell.id;
    });
  if (!same) {
    await context.revert();
    return;
  }
  content.cells.forEach((cell, index) => {
    if (!isCode(cell)) {
      return;
    }
    const shown = cells.get(index) as ICodeCellModel;
    if (!JSONExt.deepEqual(shown.outputs.toJSON(), cell.outputs)) {
      shown.outputs.fromJSON(cell.outputs);
    }
    shown.executionCount = cell.execution_count;
  });
  context.model.dirty = false;
}
