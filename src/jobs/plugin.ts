import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILabShell, ILayoutRestorer, IRouter } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { FileDialog, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { Widget } from '@lumino/widgets';

import { SharingClient } from '../api/sharing';
import { Announcer } from '../components/announcer';
import { jobsIcon } from '../components/icons';
import { showDuration } from '../components/quantities';
import { IJobs, IServerPart } from '../tokens';
import { keepAddressPlain } from './address';
import { CommandIDs } from './commands';
import { Desk } from './desk';
import { JobsDrive } from './drive';
import { addJobCommands } from './jobcommands';
import { JobsModel } from './model';
import { JOB_NOTEBOOK, jobNotebookFactory, JobNotebooks } from './notebooks';
import type { Notified } from './notices';
import { Notices } from './notices';
import { askedInAddress, remember } from './remembering';
import { SharedModel } from './sharedmodel';
import { JobsPanel } from './sidepanel';
import { TimeLimits } from './timelimit';

const PALETTE = 'Jobs';
const PANEL = 'mlinfn-jobs-panel';

/** Read-only notebooks of jobs, kept up to date. */
export const jobNotebooksPlugin: JupyterFrontEndPlugin<JobNotebooks> = {
  id: 'jupyter_mlinfn:job-notebooks',
  description:
    'Opens the notebooks of jobs, partial or final, wherever they lie.',
  autoStart: true,
  provides: JobNotebooks.token,
  requires: [
    IServerPart,
    NotebookPanel.IContentFactory,
    IEditorServices,
    IRenderMimeRegistry
  ],
  optional: [ILayoutRestorer, ILabShell, IRouter],
  activate: (
    app: JupyterFrontEnd,
    server: IServerPart,
    contentFactory: NotebookPanel.IContentFactory,
    editors: IEditorServices,
    rendermime: IRenderMimeRegistry,
    restorer: ILayoutRestorer | null,
    shell: ILabShell | null,
    router: IRouter | null
  ): JobNotebooks => {
    app.serviceManager.contents.addDrive(new JobsDrive(server.client));
    const factory = jobNotebookFactory(contentFactory, editors, rendermime);
    app.docRegistry.addWidgetFactory(factory);
    const notebooks = new JobNotebooks(server.client, server.live);
    factory.widgetCreated.connect((_, panel) => {
      notebooks.follow(panel);
    }, notebooks);
    if (restorer) {
      void restorer.restore(notebooks.tracker, {
        command: 'docmanager:open',
        args: panel => ({ path: panel.context.path, factory: JOB_NOTEBOOK }),
        name: panel => panel.context.path
      });
    }
    if (shell && router) {
      keepAddressPlain(shell, router);
    }
    return notebooks;
  }
};

/** The jobs: panel, tabs, commands and all ways to submit. */
export const jobsPlugin: JupyterFrontEndPlugin<IJobs> = {
  id: 'jupyter_mlinfn:jobs',
  description: 'Jobs panel, job tabs and the submit form.',
  autoStart: true,
  provides: IJobs,
  requires: [IServerPart, IDocumentManager],
  optional: [
    INotebookTracker,
    ILabShell,
    ILayoutRestorer,
    ICommandPalette,
    ILauncher,
    IFileBrowserFactory,
    IStateDB,
    ISettingRegistry
  ],
  activate: (
    app: JupyterFrontEnd,
    server: IServerPart,
    documents: IDocumentManager,
    notebooks: INotebookTracker | null,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    files: IFileBrowserFactory | null,
    states: IStateDB | null,
    settings: ISettingRegistry | null
  ): IJobs => {
    const model = new JobsModel(server.client, server.live);
    const desk = new Desk({
      app,
      server,
      model,
      documents,
      notebooks,
      labShell,
      chooseFile: () => chooseFile(documents)
    });
    addJobCommands(app.commands, { desk, model, notebooks, files });
    addSidePanel(app, desk, model, server, labShell, restorer);
    app.commands.addCommand(CommandIDs.openJobs, {
      label: 'Show Jobs',
      icon: jobsIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => app.shell.activateById(PANEL)
    });
    addAnnouncer(model);
    addTimeLimits(model, desk);
    void addNotices(model, desk, settings);
    restoreList(app, model, states);
    if (restorer) {
      restoreTabs(restorer, desk);
    }
    for (const command of [
      CommandIDs.submit,
      CommandIDs.openJobs,
      CommandIDs.openJobsTab,
      CommandIDs.cleanUp
    ]) {
      palette?.addItem({ command, category: PALETTE });
    }
    launcher?.add({ command: CommandIDs.submit, category: 'Other', rank: 10 });
    return {
      submitWith: environment => desk.submitPath(undefined, { environment }),
      open: id => desk.open(id)
    };
  }
};

function addSidePanel(
  app: JupyterFrontEnd,
  desk: Desk,
  model: JobsModel,
  server: IServerPart,
  labShell: ILabShell | null,
  restorer: ILayoutRestorer | null
): void {
  const panel = new JobsPanel({
    model,
    live: server.live,
    actions: desk,
    narrow: labShell !== null,
    shared: new SharedModel(new SharingClient(server.client))
  });
  panel.id = PANEL;
  desk.showInPanel = job => {
    panel.showJob(job);
    app.shell.activateById(panel.id);
  };
  app.shell.add(panel, 'left', { rank: 610 });
  restorer?.add(panel, panel.id);
}

/** The list as it was, or as the page's address asks; then the panel comes to the front. */
function restoreList(
  app: JupyterFrontEnd,
  model: JobsModel,
  states: IStateDB | null
): void {
  const asked = askedInAddress(window.location.search);
  void remember(model, states, asked);
  if (asked !== null) {
    void app.restored.then(() => app.shell.activateById(PANEL));
  }
}

function addAnnouncer(model: JobsModel): void {
  const announcer = new Announcer('Changes of jobs');
  Widget.attach(announcer, document.body);
  model.announced.connect((_, sentence) => announcer.say(sentence), announcer);
}

/** People hear of a time limit while there is time to save, or to ask for more. */
function addTimeLimits(model: JobsModel, desk: Desk): void {
  new TimeLimits(model, (job, left) =>
    Notification.warning(
      `${job.name} reaches its time limit in ${showDuration(left)}.`,
      {
        autoClose: 30_000,
        actions: [{ label: 'Open the job', callback: () => desk.open(job.id) }]
      }
    )
  );
}

/** People hear in JupyterLab that a job has ended, as the settings say. */
async function addNotices(
  model: JobsModel,
  desk: Desk,
  settings: ISettingRegistry | null
): Promise<void> {
  const notices = new Notices(model, (sentence, job) =>
    Notification.info(sentence, {
      autoClose: false,
      actions: job
        ? [{ label: 'Open the job', callback: () => desk.open(job.id) }]
        : []
    })
  );
  const found = await settings?.load(jobsPlugin.id);
  const read = () => {
    const which = found?.get('notifications').composite;
    notices.which = (which ?? 'asked') as Notified;
  };
  read();
  found?.changed.connect(read, notices);
}

function restoreTabs(restorer: ILayoutRestorer, desk: Desk): void {
  void restorer.restore(desk.tracker, {
    command: CommandIDs.openJob,
    args: widget => ({ id: widget.content.jobId }),
    name: widget => widget.content.jobId
  });
  void restorer.restore(desk.listTracker, {
    command: CommandIDs.openJobsTab,
    name: () => 'jobs'
  });
}

/** Let people choose a notebook or script of this server. */
async function chooseFile(documents: IDocumentManager): Promise<string | null> {
  const answer = await FileDialog.getOpenFiles({
    manager: documents,
    title: 'Which notebook or script shall run?',
    label: 'Notebooks (.ipynb) and Python scripts (.py)',
    filter: file =>
      file.type === 'directory' || /\.(ipynb|py)$/.test(file.name) ? {} : null
  });
  return answer.value?.find(file => file.type !== 'directory')?.path ?? null;
}
