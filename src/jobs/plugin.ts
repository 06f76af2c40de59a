import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Widget } from '@lumino/widgets';

export const jobsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter_mlinfn:plugin',
  description: 'Jobs panel.',
  autoStart: true,
  activate: (app: JupyterFrontEnd) => {
    const panel = new Widget();
    panel.id = 'mlinfn-jobs-panel';
    panel.title.caption = 'Jobs';
    panel.title.label = 'Jobs';
    panel.addClass('jp-Mlinfn-panel');
    app.shell.add(panel, 'left', { rank: 610 });
  }
};
