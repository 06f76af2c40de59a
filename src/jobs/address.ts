import type { ILabShell, IRouter } from '@jupyterlab/application';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';

import { DRIVE } from './drive';

/**
 * Keep the page's address free of our drive.
 *
 * At a reload JupyterLab looks for a file browser of the drive that the address names, and
 * ours has none. The notebooks of jobs come back with the layout, not by the address.
 */
export function keepAddressPlain(shell: ILabShell, router: IRouter): void {
  const clear = () => {
    const url = PageConfig.getUrl({ treePath: '' });
    router.navigate(URLExt.parse(url).pathname, { skipRouting: true });
    PageConfig.setOption('treePath', '');
  };
  shell.currentPathChanged.connect((_, { newValue }) => {
    if (newValue.startsWith(`${DRIVE}:`)) {
      queueMicrotask(clear); // after JupyterLab has set its own
    }
  });
}
