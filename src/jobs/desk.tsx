import type { ILabShell, JupyterFrontEnd } from '@jupyterlab/application';
import {
  Dialog,
  MainAreaWidget,
  Notification,
  showDialog,
  WidgetTracker
} from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { BulkVerb } from '../api/client';
import { newKey } from '../api/client';
import type { JobRecord, RerunRequest, Resources } from '../api/types';
import { openDialog } from '../components/dialog';
import { jobsIcon } from '../components/icons';
import { count, showBytes } from '../components/quantities';
import type { IServerPart } from '../tokens';
import type { IJobActions } from './actions';
import { chooseAll, copyLink, openBulk } from './choosing';
import { Cleanup } from './cleanup';
import { openComparison, rerunExactly } from './comparing';
import { drivePath } from './drive';
import { JobModel } from './jobmodel';
import { showJobMenu } from './jobmenu';
import { openKernelAfter } from './kernelafter';
import type { JobsModel } from './model';
import { JOB_NOTEBOOK } from './notebooks';
import { JobsWidget } from './panel';
import { isMismatch } from './refusals';
import { saveDocument } from './saving';
import { releaseHeld } from './release';
import { openShare, openShared } from './sharing';
import { Submit } from './submit';
import type { ISubmitOptions } from './submitmodel';
import { SubmitModel } from './submitmodel';
import { savePoints } from './sweepacts';
import { JobWidget } from './tab';
import { hasEnded, hasNotebook } from './words';

/** The parts of the application that jobs work with. */
export interface IDeskOptions {
  app: JupyterFrontEnd;
  server: IServerPart;
  model: JobsModel;
  documents: IDocumentManager;
  notebooks: INotebookTracker | null;
  labShell: ILabShell | null;
  chooseFile: () => Promise<string | null>;
}

/** Carries out what people do with jobs, in the application that is there. */
export class Desk implements IJobActions {
  constructor(private readonly _options: IDeskOptions) {}

  readonly tracker = new WidgetTracker<MainAreaWidget<JobWidget>>({
    namespace: 'mlinfn-job'
  });

  readonly listTracker = new WidgetTracker<MainAreaWidget<JobsWidget>>({
    namespace: 'mlinfn-jobs'
  });

  /** Shows a job inside the side panel where the application has no tabs. */
  showInPanel: ((model: JobModel) => void) | null = null;

  submit(): void {
    void this.submitPath();
  }

  /** Open the submit form for a file, the notebook in front, or one that is chosen first. */
  async submitPath(
    path?: string,
    options: Partial<ISubmitOptions> = {}
  ): Promise<void> {
    const panel = path ? null : this._currentNotebook();
    const source = panel?.context.path ?? path ?? (await this._choose());
    if (source) {
      this._openForm({
        ...options,
        source,
        save: () => this._save(source, panel)
      });
    }
  }

  cleanUp(): void {
    const { client } = this._options.server;
    void openDialog('Clean up old jobs', close => (
      <Cleanup
        client={client}
        onCancel={close}
        onDone={plan => {
          close();
          plan.items.forEach(item => this._options.model.drop(item.id));
          Notification.success(
            `${count(plan.items.length, 'job')} removed, ${showBytes(plan.size)} freed.`
          );
          plan.failed.forEach(problem => Notification.error(problem.text));
          void this._options.model.refresh();
        }}
      />
    ));
  }

  openAsTab(): void {
    const { app, labShell, model } = this._options;
    const open = this.listTracker.currentWidget;
    if (open) {
      app.shell.activateById(open.id);
      return;
    }
    if (!labShell) {
      return;
    }
    const content = new JobsWidget({ model, actions: this, narrow: false });
    const widget = new MainAreaWidget({ content });
    widget.id = 'mlinfn-jobs-tab';
    widget.title.label = 'Jobs';
    widget.title.icon = jobsIcon;
    app.shell.add(widget, 'main');
    void this.listTracker.add(widget);
  }

  bulk(verb: BulkVerb): void {
    openBulk(this._options.model, verb);
  }

  chooseAll(): void {
    chooseAll(this._options.model);
  }

  copyLink(): void {
    copyLink(this._options.model);
  }

  open(id: string): void {
    const { app, labShell, model, server } = this._options;
    const found = this.tracker.find(widget => widget.content.jobId === id);
    if (found) {
      app.shell.activateById(found.id);
      return;
    }
    const job = new JobModel(id, model);
    if (!labShell) {
      this.showInPanel?.(job);
      return;
    }
    const content = new JobWidget({
      model: job,
      live: server.live,
      actions: this
    });
    const widget = new MainAreaWidget({ content });
    widget.id = `mlinfn-job-tab-${id}`;
    app.shell.add(widget, 'main');
    void this.tracker.add(widget);
  }

  cancel(job: JobRecord): void {
    this._do(async () => {
      this._options.model.put(await this._options.server.client.cancel(job.id));
    });
  }

  release(job: JobRecord): void {
    this._do(() => releaseHeld(this._options, job));
  }

  rerun(job: JobRecord, resources?: Resources): void {
    const key = newKey();
    this._do(async () => {
      try {
        const { client } = this._options.server;
        const changes = resources ? { resources } : {};
        this._accepted(await client.rerun(job.id, changes, key));
      } catch (error) {
        // the form offers what can be done about it
        if (!isMismatch(error)) {
          throw error;
        }
        this.edit(job);
      }
    });
  }

  rerunExactly(job: JobRecord): void {
    rerunExactly(this._options, job, this._accepted, () => this.rerun(job));
  }

  compare(job: string, other?: string): void {
    openComparison(this._options, job, other, id => this.open(id));
  }

  edit(job: JobRecord): void {
    void this.submitPath(job.source, { rerunOf: job });
  }

  remove(job: JobRecord): void {
    this._do(async () => {
      if (!hasEnded(job)) {
        Notification.info(`Cancel ${job.name} first, then delete it.`);
        return;
      }
      const answer = await showDialog({
        title: `Delete the job ${job.name}?`,
        body:
          'Its record, its log and its copy of the notebook are deleted. ' +
          `The results in ${job.output_folder} stay. This cannot be undone.`,
        buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Delete' })]
      });
      if (answer.button.accept) {
        await this._options.server.client.remove(job.id);
        this._options.model.drop(job.id);
      }
    });
  }

  share(job: JobRecord): void {
    openShare(this._options, job);
  }

  openShared(area: string, id: string): void {
    openShared(this._options, area, id, this._accepted, job => this.open(job));
  }

  openOutput(job: JobRecord): void {
    const { commands } = this._options.app;
    const inside = job.output !== null && !job.output.startsWith('/');
    if (hasNotebook(job) && inside) {
      this._options.documents.openOrReveal(job.output ?? '');
    } else if (hasNotebook(job)) {
      this.openNotebook(job);
    } else if (inside && commands.hasCommand('filebrowser:open-path')) {
      void commands.execute('filebrowser:open-path', { path: job.output });
    } else {
      Notification.info(`The results are in ${job.output_folder}.`);
    }
  }

  openNotebook(job: JobRecord, point?: number): void {
    this._options.documents.openOrReveal(
      drivePath(job.id, job.source, point),
      JOB_NOTEBOOK,
      undefined,
      { mode: 'split-right' }
    );
  }

  openFile(path: string): void {
    if (path.startsWith('/')) {
      Notification.info(`It lies outside this server’s files: ${path}`);
    } else {
      this._options.documents.openOrReveal(path);
    }
  }

  continueFrom(job: JobRecord): void {
    this._again(job, { from_checkpoint: true });
  }

  rerunPoints(job: JobRecord, points: 'failed' | number[]): void {
    this._again(job, { points });
  }

  cancelPoint(job: JobRecord, point: number): void {
    const { model, server } = this._options;
    this._do(async () =>
      model.put(await server.client.cancelPoint(job.id, point))
    );
  }

  savePoints(job: JobRecord): void {
    this._do(() => savePoints(this._options.server.client, job));
  }

  openKernel(job: JobRecord): void {
    const { app, server } = this._options;
    this._do(() => openKernelAfter(server.client, app.commands, job));
  }

  showMenu(job: JobRecord, x: number, y: number): void {
    showJobMenu(this._options.app.commands, job, x, y);
  }

  private _currentNotebook(): NotebookPanel | null {
    const { app, notebooks } = this._options;
    const current = notebooks?.currentWidget ?? null;
    return current && app.shell.currentWidget === current ? current : null;
  }

  private async _choose(): Promise<string | null> {
    const front = this._options.notebooks?.currentWidget;
    return front?.isVisible
      ? front.context.path
      : await this._options.chooseFile();
  }

  /** Save the document if it is open here; the path is the one it has now. */
  private async _save(
    path: string,
    panel: NotebookPanel | null
  ): Promise<string> {
    const { documents } = this._options;
    const { contents } = documents.services;
    const widget = panel ?? documents.findWidget(path);
    const context = widget ? documents.contextForWidget(widget) : undefined;
    if (context) {
      await saveDocument(context);
    }
    return contents.localPath(context?.path ?? path);
  }

  private _openForm(options: ISubmitOptions): void {
    // eslint-disable-next-line jupyter/require-disposable-ownership -- disposed when the dialog closes, or with the tab it moved into
    const model = new SubmitModel(this._options.server.client, options);
    void model.load();
    let moved = false;
    let closed = false;
    const onDone = (job: JobRecord, close: () => void) => {
      if (!closed) {
        close();
      }
      this._accepted(job);
    };
    void openDialog('Submit as job', close => (
      <Submit
        model={model}
        onDone={job => onDone(job, close)}
        onCancel={close}
        onLost={why => this._lost(why)}
        onTab={
          this._options.labShell
            ? () => {
                moved = true;
                close();
                this._openFormTab(model);
              }
            : undefined
        }
      />
    )).then(() => {
      closed = true;
      if (!moved) {
        model.dispose();
      }
    });
  }

  private _openFormTab(model: SubmitModel): void {
    const close = () => widget.dispose();
    const content = ReactWidget.create(
      <Submit
        model={model}
        onCancel={close}
        onLost={why => this._lost(why)}
        onDone={job => {
          close();
          this._accepted(job);
        }}
      />
    );
    content.addClass('jp-Mlinfn-panel');
    const widget = new MainAreaWidget({ content });
    widget.title.label = `Submit ${PathExt.basename(model.options.source)}`;
    widget.title.icon = jobsIcon;
    widget.disposed.connect(() => model.dispose(), model);
    this._options.app.shell.add(widget, 'main');
  }

  private readonly _accepted = (job: JobRecord): void => {
    this._options.model.put(job);
    Notification.success(`${job.name} was submitted as job ${job.id}.`, {
      autoClose: 6000,
      actions: [{ label: 'Show', callback: () => this.open(job.id) }]
    });
  };

  private _lost(why: string): void {
    Notification.error(why, { autoClose: false });
  }

  private _again(job: JobRecord, changes: RerunRequest): void {
    const { client } = this._options.server;
    this._do(async () =>
      this._accepted(await client.rerun(job.id, changes, newKey()))
    );
  }

  /** Do it, and say in words when it did not work. */
  private _do(work: () => Promise<void>): void {
    work().catch((error: Error) => {
      Notification.error(error.message, { autoClose: 15_000 });
    });
  }
}
