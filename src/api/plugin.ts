import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { answerSave } from '../jobs/saving';
import { IServerPart } from '../tokens';
import { Client } from './client';
import { LiveSocket } from './live';

/** Opens the one connection of the page, and lets the server ask for a save. */
export const serverPartPlugin: JupyterFrontEndPlugin<IServerPart> = {
  id: 'jupyter_mlinfn:server-part',
  description: 'The REST client and the one live connection.',
  autoStart: true,
  provides: IServerPart,
  optional: [INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker | null
  ): IServerPart => {
    const { contents, serverSettings } = app.serviceManager;
    const client = new Client(serverSettings);
    const live = new LiveSocket(serverSettings);
    if (tracker) {
      live.saveHandler = request => answerSave(tracker, contents, request);
    }
    void app.restored.then(() => live.connect());
    return { client, live };
  }
};
