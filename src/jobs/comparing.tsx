import type { ILabShell, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, Notification } from '@jupyterlab/apputils';
import * as React from 'react';

import { newKey } from '../api/client';
import type { JobRecord } from '../api/types';
import { Button } from '../components/buttons';
import { openDialog } from '../components/dialog';
import type { IServerPart } from '../tokens';
import { Diff, DiffWidget } from './diff';
import { DiffModel } from './diffmodel';
import { showNotExact } from './notexact';
import { isNotExact } from './refusals';

interface IComparing {
  app: JupyterFrontEnd;
  server: IServerPart;
  labShell: ILabShell | null;
}

/** Show a job beside another one, which is chosen if it is not named. */
export function openComparison(
  { app, server, labShell }: IComparing,
  job: string,
  other: string | undefined,
  open: (id: string) => void
): void {
  const model = new DiffModel(
    server.client,
    { id: job, point: null },
    other ? { id: other, point: null } : null
  );
  void model.load();
  if (!labShell) {
    void openDialog('Compare jobs', close => (
      <section className="jp-Mlinfn-submit">
        <div className="jp-Mlinfn-submitBody jp-Mlinfn-taskBody">
          <Diff
            model={model}
            open={id => {
              close();
              open(id);
            }}
          />
        </div>
        <footer className="jp-Mlinfn-buttons">
          <Button onClick={close}>Close</Button>
        </footer>
      </section>
    )).then(() => model.dispose());
    return;
  }
  const content = new DiffWidget({ model, open });
  const widget = new MainAreaWidget({ content });
  app.shell.add(widget, 'main');
}

/** Run a job again exactly, or say what is not as it was. */
export function rerunExactly(
  { server }: IComparing,
  job: JobRecord,
  done: (job: JobRecord) => void,
  rerun: () => void
): void {
  server.client
    .rerun(job.id, { exact: true }, newKey())
    .then(done)
    .catch((error: Error) => {
      if (isNotExact(error)) {
        showNotExact(job, error.problems, rerun);
      } else {
        Notification.error(error.message, { autoClose: 15_000 });
      }
    });
}
