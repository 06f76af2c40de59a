import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';

import { environmentsIcon } from '../components/icons';
import { IJobs, IServerPart } from '../tokens';
import { EnvironmentsModel } from './model';
import { EnvironmentsWidget } from './panel';

/** The commands of the environments. */
export namespace CommandIDs {
  export const open = 'mlinfn:open-environments';
}

const PANEL = 'mlinfn-environments-panel';

/** Environments panel. */
export const environmentsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter_mlinfn:environments',
  description: 'The environments of this server.',
  autoStart: true,
  requires: [IServerPart],
  optional: [IJobs, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    server: IServerPart,
    jobs: IJobs | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ): void => {
    const panel = new EnvironmentsWidget({
      model: new EnvironmentsModel(server.client, server.live),
      onUse: jobs && (kernel => void jobs.submitWith(kernel))
    });
    panel.id = PANEL;
    app.shell.add(panel, 'left', { rank: 605 });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIDs.open, {
      label: 'Show Environments',
      icon: environmentsIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(PANEL)
    });
    palette?.addItem({
      command: CommandIDs.open,
      category: 'Environments'
    });
  }
};
