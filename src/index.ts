import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { serverPartPlugin } from './api/plugin';
import { environmentsPlugin } from './environments/plugin';
import { gpusPlugin } from './gpus/plugin';
import { jobNotebooksPlugin, jobsPlugin } from './jobs/plugin';
import { storagePlugin } from './storage/plugin';
import { sessionPlugin } from './session/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  serverPartPlugin,
  jobNotebooksPlugin,
  jobsPlugin,
  gpusPlugin,
  environmentsPlugin,
  storagePlugin,
  sessionPlugin
];

export default plugins;
