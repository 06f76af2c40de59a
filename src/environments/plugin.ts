import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import { Announcer } from '../components/announcer';
import { environmentsIcon } from '../components/icons';
import { IJobs, IServerPart } from '../tokens';
import { CommandIDs } from './commands';
import { EnvironmentsDesk } from './desk';
import { addEnvironmentCommands } from './environmentcommands';
import { KernelNews } from './kernelnews';
import { EnvironmentsModel } from './model';
import { EnvironmentsWidget } from './panel';

const PALETTE = 'Environments';
const PANEL = 'mlinfn-environments-panel';

/** Environments panel, and all that is done with environments. */
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
    const model = new EnvironmentsModel(server.client, server.live);
    const kernels = new KernelNews(() =>
      app.serviceManager.kernelspecs.refreshSpecs()
    );
    model.kernelsChanged.connect(() => kernels.tell(), kernels);
    const desk = new EnvironmentsDesk({
      model,
      commands: app.commands,
      jobs,
      onKernels: () => kernels.tell()
    });
    addEnvironmentCommands(app.commands, model, desk);
    const panel = new EnvironmentsWidget({ model, actions: desk });
    panel.id = PANEL;
    app.shell.add(panel, 'left', { rank: 605 });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIDs.open, {
      label: 'Show Environments',
      icon: environmentsIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(PANEL)
    });
    const announcer = new Announcer('Changes of environments');
    Widget.attach(announcer, document.body);
    model.announced.connect(
      (_, sentence) => announcer.say(sentence),
      announcer
    );
    for (const command of [
      CommandIDs.open,
      CommandIDs.create,
      CommandIDs.collectGarbage
    ]) {
      palette?.addItem({ command, category: PALETTE });
    }
  }
};
