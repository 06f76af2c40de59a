import type { ILabShell, JupyterFrontEnd } from '@jupyterlab/application';
import {
  Dialog,
  MainAreaWidget,
  Notification,
  showDialog
} from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { ApiProblem, newKey } from '../api/client';
import { SharingClient } from '../api/sharing';
import type { JobRecord, SharedDetails, SharedRerun } from '../api/types';
import { openDialog } from '../components/dialog';
import { jobsIcon } from '../components/icons';
import type { IServerPart } from '../tokens';
import { DiffWidget } from './diff';
import { DiffModel } from './diffmodel';
import { sharedPath } from './drive';
import { JOB_NOTEBOOK } from './notebooks';
import { Share } from './share';
import { SharedJobPage } from './sharedjob';
import { savePoints } from './sweepacts';

interface ISharing {
  app: JupyterFrontEnd;
  server: IServerPart;
  documents: IDocumentManager;
  labShell: ILabShell | null;
}

/** Ask where to share a job, or take it back. */
export function openShare({ server }: ISharing, job: JobRecord): void {
  const client = new SharingClient(server.client);
  void openDialog(`Share ${job.name}`, close => (
    <Share client={client} job={job} onClose={close} />
  ));
}

/** Show a job that somebody shares. */
export function openShared(
  parts: ISharing,
  area: string,
  id: string,
  accepted: (job: JobRecord) => void,
  open: (id: string) => void
): void {
  const { app, documents, labShell, server } = parts;
  const client = new SharingClient(server.client);
  const page = (
    <SharedJobPage
      client={client}
      area={area}
      id={id}
      onNotebook={source =>
        documents.openOrReveal(
          sharedPath(area, id, source),
          JOB_NOTEBOOK,
          undefined,
          { mode: 'split-right' }
        )
      }
      onFolder={path => {
        if (path.startsWith('/')) {
          Notification.info(`It lies outside this server’s files: ${path}`);
        } else {
          void app.commands.execute('filebrowser:open-path', { path });
        }
      }}
      onCompare={() => compareShared(parts, area, id, open)}
      onRerun={told => void rerunShared(client, told, accepted)}
      onSavePoints={job =>
        void savePoints(client.points(area), job).catch((error: Error) => {
          Notification.error(error.message, { autoClose: 15_000 });
        })
      }
    />
  );
  const content = ReactWidget.create(page);
  content.addClass('jp-Mlinfn-panel');
  const widget = new MainAreaWidget({ content });
  widget.id = `mlinfn-shared-${id}`;
  widget.title.label = `Shared ${id}`;
  widget.title.icon = jobsIcon;
  app.shell.add(widget, labShell ? 'main' : 'left');
  app.shell.activateById(widget.id);
}

function compareShared(
  { app, server }: ISharing,
  area: string,
  id: string,
  open: (id: string) => void
): void {
  const { client } = server;
  const sharing = new SharingClient(client);
  const model = new DiffModel(
    {
      jobs: query => client.jobs(query),
      details: async job =>
        job === id
          ? (await sharing.details(area, id)).details
          : client.details(job),
      diff: (_shared, mine) => sharing.diff(area, id, mine.id)
    },
    { id, point: null },
    null,
    false
  );
  void model.load();
  const content = new DiffWidget({
    model,
    open: job => job !== id && open(job)
  });
  app.shell.add(new MainAreaWidget({ content }), 'main');
}

/** Run it as one's own job; where the environment is another one, ask first. */
async function rerunShared(
  client: SharingClient,
  told: SharedDetails,
  accepted: (job: JobRecord) => void
): Promise<void> {
  const { area, id, name } = told.shared;
  const run = async (changes: SharedRerun) =>
    accepted(await client.rerun(area, id, changes, newKey()));
  try {
    await run({});
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.code !== 'other-environment') {
      Notification.error((error as Error).message, { autoClose: 15_000 });
      return;
    }
    const answer = await showDialog({
      title: `Run ${name} in your environment?`,
      body: error.message,
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Run it so' })]
    });
    if (answer.button.accept) {
      await run({ other_environment: true }).catch((again: Error) => {
        Notification.error(again.message, { autoClose: 15_000 });
      });
    }
  }
}
