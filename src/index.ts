import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { serverPartPlugin } from './api/plugin';
import { jobNotebooksPlugin, jobsPlugin } from './jobs/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  serverPartPlugin,
  jobNotebooksPlugin,
  jobsPlugin
];

export default plugins;
