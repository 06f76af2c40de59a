import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import * as React from 'react';

import { StorageClient } from '../api/storage';
import type { AreaState } from '../api/types';
import { openDialog } from '../components/dialog';
import { storageIcon } from '../components/icons';
import { IServerPart } from '../tokens';
import type { IStorageActions } from './actions';
import { Backups } from './backups';
import { BackupsModel } from './backupsmodel';
import { StorageModel } from './model';
import { Objects } from './objects';
import { ObjectsModel } from './objectsmodel';
import { StorageWidget } from './panel';

/** The commands of the storage areas. */
export namespace CommandIDs {
  export const open = 'mlinfn:open-storage';
}

const PANEL = 'mlinfn-storage-panel';
const GO_TO = 'filebrowser:go-to-path';

/** Storage panel: areas, notes, backups. */
export const storagePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter_mlinfn:storage',
  description: 'Storage areas: where files lie, who sees them, their backups.',
  autoStart: true,
  requires: [IServerPart],
  optional: [IDefaultFileBrowser, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    server: IServerPart,
    browser: IDefaultFileBrowser | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ): void => {
    const client = new StorageClient(server.client);
    const model = new StorageModel(client);
    const actions: IStorageActions = {
      open: state => void openFolder(app, browser, state),
      browse: state => {
        const objects = new ObjectsModel(client, state.area.name);
        void openDialog(state.area.title, close => (
          <Objects
            model={objects}
            title={state.area.title}
            writable={state.area.writable}
            onClose={close}
          />
        )).then(() => objects.dispose());
      },
      showBackups: state => {
        const told = model.restoresOf(state.area.name);
        const backups = new BackupsModel(
          client,
          state.area.name,
          () => {
            void model.refresh();
            void browser?.model.refresh();
          },
          told.find(one => one.state === 'running') ?? told[0]
        );
        void openDialog(`Backups of ${state.area.title}`, close => (
          <Backups model={backups} title={state.area.title} onClose={close} />
        )).then(() => {
          const { task } = backups;
          backups.dispose();
          if (task?.state === 'running') {
            void model.refresh();
          } else if (task) {
            model.markRead(task.id);
          }
        });
      }
    };
    const panel = new StorageWidget({ model, actions });
    panel.id = PANEL;
    app.shell.add(panel, 'left', { rank: 615 });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIDs.open, {
      label: 'Show Storage',
      icon: storageIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(PANEL)
    });
    palette?.addItem({ command: CommandIDs.open, category: 'Storage' });
  }
};

/** With real-time collaboration the default browser is another plugin's: then its command. */
async function openFolder(
  app: JupyterFrontEnd,
  browser: IDefaultFileBrowser | null,
  state: AreaState
): Promise<void> {
  const path = `/${state.place ?? ''}`;
  try {
    if (browser) {
      await browser.model.cd(path);
      app.shell.activateById(browser.id);
    } else if (app.commands.hasCommand(GO_TO)) {
      await app.commands.execute(GO_TO, { path });
    } else {
      Notification.info(`There is no file browser here. The folder is ${path}`);
    }
  } catch (error) {
    Notification.error(`The folder cannot be opened: ${String(error)}`);
  }
}
