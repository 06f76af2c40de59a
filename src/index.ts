import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { serverPartPlugin } from './api/plugin';
import { environmentsPlugin } from './environments/plugin';
import { gpusPlugin } from './gpus/plugin';
import { jobNotebooksPlugin, jobsPlugin } from './jobs/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  serverPartPlugin,
  jobNotebooksPlugin,
  jobsPlugin,
  gpusPlugin,
  environmentsPlugin
];

export default plugins;
