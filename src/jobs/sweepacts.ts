import { Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';

import type { IPointsSource } from '../api/client';
import type { JobRecord } from '../api/types';

/** Let the browser save the table of a sweep. */
export async function savePoints(
  client: IPointsSource,
  job: JobRecord
): Promise<void> {
  const text = await client.pointsCsv(job.id);
  const address = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = csvName(job);
  link.click();
  // the browser reads the address after this turn of the loop
  window.setTimeout(() => URL.revokeObjectURL(address), 10_000);
  Notification.success(`${link.download} is saved by your browser.`, {
    autoClose: 5000
  });
}

/** `train-abcdefghij-points.csv`. */
export function csvName(job: Pick<JobRecord, 'id' | 'source'>): string {
  const stem = PathExt.basename(job.source, PathExt.extname(job.source));
  return `${stem}-${job.id}-points.csv`;
}
