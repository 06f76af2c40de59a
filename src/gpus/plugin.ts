import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer } from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  MainAreaWidget,
  Notification,
  showDialog,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IStatusBar } from '@jupyterlab/statusbar';

import type { Holder } from '../api/types';
import { gpusIcon } from '../components/icons';
import { count } from '../components/quantities';
import { IJobs, IServerPart } from '../tokens';
import type { IGpuActions } from './actions';
import { GpusModel } from './model';
import { GpusWidget } from './panel';
import { GpuStatus } from './status';

/** The commands of the GPUs. */
export namespace CommandIDs {
  export const open = 'mlinfn:open-gpus';
  export const openTab = 'mlinfn:open-gpus-tab';
}

const PANEL = 'mlinfn-gpus-panel';
const NO_ARGS = { args: { type: 'object', properties: {} } } as const;

/** GPUs panel, tab and status bar item. */
export const gpusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter_mlinfn:gpus',
  description: 'GPUs: who holds them and how busy they are.',
  autoStart: true,
  requires: [IServerPart],
  optional: [IJobs, ILabShell, ILayoutRestorer, IStatusBar, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    server: IServerPart,
    jobs: IJobs | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    statusBar: IStatusBar | null,
    palette: ICommandPalette | null
  ): void => {
    const model = new GpusModel(server.client, server.live);
    const tracker = new WidgetTracker<MainAreaWidget<GpusWidget>>({
      namespace: 'mlinfn-gpus'
    });
    const actions: IGpuActions = {
      open: holder => void openHolder(app, jobs, holder),
      free: holders => void free(app, holders),
      openAsTab: () => void app.commands.execute(CommandIDs.openTab)
    };
    const narrow = labShell !== null;
    const panel = new GpusWidget({ model, actions, narrow });
    panel.id = PANEL;
    app.shell.add(panel, 'left', { rank: 600 });
    restorer?.add(panel, panel.id);
    app.commands.addCommand(CommandIDs.open, {
      label: 'Show GPUs',
      icon: gpusIcon,
      describedBy: NO_ARGS,
      execute: () => app.shell.activateById(PANEL)
    });
    app.commands.addCommand(CommandIDs.openTab, {
      label: 'Open GPUs in a Tab',
      icon: gpusIcon,
      describedBy: NO_ARGS,
      isEnabled: () => narrow,
      execute: () => openTab(app, tracker, { model, actions, narrow: false })
    });
    void restorer?.restore(tracker, {
      command: CommandIDs.openTab,
      name: () => 'gpus'
    });
    palette?.addItem({ command: CommandIDs.open, category: 'GPUs' });
    palette?.addItem({ command: CommandIDs.openTab, category: 'GPUs' });
    statusBar?.registerStatusItem('mlinfn:gpus', {
      align: 'left',
      rank: 20,
      item: new GpuStatus(model, () => app.shell.activateById(PANEL))
    });
  }
};

function openTab(
  app: JupyterFrontEnd,
  tracker: WidgetTracker<MainAreaWidget<GpusWidget>>,
  props: ConstructorParameters<typeof GpusWidget>[0]
): void {
  if (tracker.currentWidget) {
    app.shell.activateById(tracker.currentWidget.id);
    return;
  }
  const widget = new MainAreaWidget({ content: new GpusWidget(props) });
  widget.id = 'mlinfn-gpus-tab';
  widget.title.label = 'GPUs';
  widget.title.icon = gpusIcon;
  app.shell.add(widget, 'main');
  void tracker.add(widget);
}

async function openHolder(
  app: JupyterFrontEnd,
  jobs: IJobs | null,
  holder: Holder
): Promise<void> {
  if (holder.job_id) {
    jobs?.open(holder.job_id);
    return;
  }
  const { sessions } = app.serviceManager;
  await sessions.refreshRunning();
  for (const session of sessions.running()) {
    if (session.kernel?.id === holder.kernel_id) {
      await app.commands.execute('docmanager:open', { path: session.path });
      return;
    }
  }
  Notification.info('This kernel has no notebook that is open.');
}

async function free(
  app: JupyterFrontEnd,
  holders: readonly Holder[]
): Promise<void> {
  const names = holders.map(holder => holder.title).join(', ');
  const answer = await showDialog({
    title: `End ${count(holders.length, 'kernel')} to free the GPU?`,
    body:
      `${names}: the variables in memory are lost. ` +
      'The notebooks and everything that is saved stay.',
    buttons: [
      Dialog.cancelButton(),
      Dialog.warnButton({ label: 'End and free' })
    ],
    defaultButton: 0
  });
  if (!answer.button.accept) {
    return;
  }
  try {
    for (const { kernel_id: id } of holders) {
      if (id) {
        await app.serviceManager.kernels.shutdown(id);
      }
    }
    Notification.success('The kernels have ended; their GPU memory is free.');
  } catch (error) {
    Notification.error(`A kernel did not end: ${String(error)}`);
  }
}
