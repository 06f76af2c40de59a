import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { jobsPlugin } from './jobs/plugin';

const plugins: JupyterFrontEndPlugin<unknown>[] = [jobsPlugin];

export default plugins;
