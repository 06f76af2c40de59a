import { Notification } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';

import type { Client } from '../api/client';
import type { JobRecord } from '../api/types';

/** Open a kernel in the folder and the environment of a job that has ended. */
export async function openKernelAfter(
  client: Client,
  commands: CommandRegistry,
  job: JobRecord
): Promise<void> {
  const kernel = await client.kernel(job.id);
  const inside = !kernel.folder.startsWith('/');
  if (kernel.note) {
    Notification.info(kernel.note);
  }
  if (commands.hasCommand('console:create')) {
    await commands.execute('console:create', {
      basePath: inside ? kernel.folder : '',
      name: `After ${job.name}`,
      kernelPreference: { name: kernel.kernel_name },
      insertMode: 'split-bottom',
      activate: true
    });
  } else {
    await commands.execute('notebook:create-new', {
      cwd: inside ? kernel.folder : '',
      kernelName: kernel.kernel_name
    });
  }
  if (!inside) {
    Notification.info(
      `The job's folder is outside this server's files. Go there with os.chdir(${JSON.stringify(kernel.folder)}).`
    );
  }
}
