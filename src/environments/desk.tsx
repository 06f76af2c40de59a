import { Notification } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';
import * as React from 'react';

import type { Environment, Task } from '../api/types';
import { openDialog } from '../components/dialog';
import type { IJobs } from '../tokens';
import type { IEnvironmentActions } from './actions';
import { hasImageKernel, jobEnvironment } from './actions';
import type { Alteration } from './alter';
import { Alter } from './alter';
import { Clone } from './clone';
import { CommandIDs } from './commands';
import { Create } from './create';
import { Diff } from './diff';
import { Export } from './export';
import { Garbage } from './garbage';
import { History } from './history';
import type { EnvironmentsModel } from './model';
import { environmentKey } from './model';
import { Pack } from './pack';
import { hintsOf, problemsOf } from './refusal';
import { Remove } from './remove';
import { Share } from './share';
import type { INext } from './taskdialog';
import { TaskModel } from './taskmodel';

interface IDeskOptions {
  model: EnvironmentsModel;
  commands: CommandRegistry;
  /** `null` where there are no jobs. */
  jobs: IJobs | null;
  /** The kernels of this server are others now. */
  onKernels: () => void;
}

/** Carries out what people do with environments. */
export class EnvironmentsDesk implements IEnvironmentActions {
  constructor(private readonly _options: IDeskOptions) {}

  get hasJobs(): boolean {
    return this._options.jobs !== null;
  }

  create(): void {
    this._openTask('New environment', (model, close) => (
      <Create
        model={model}
        environments={this._model}
        onClose={close}
        next={name => this._next(name, close)}
      />
    ));
  }

  clone(source: Environment): void {
    this._openTask(`Clone ${source.name}`, (model, close) => (
      <Clone
        model={model}
        environments={this._model}
        source={source}
        onClose={close}
        next={name => this._next(name, close)}
      />
    ));
  }

  addPackages(one: Environment): void {
    this._alter('add', one);
  }

  removePackages(one: Environment): void {
    this._alter('remove', one);
  }

  update(one: Environment): void {
    this._alter('update', one);
  }

  showHistory(one: Environment): void {
    this._openTask(`History of ${one.name}`, (model, close) => (
      <History
        model={model}
        environments={this._model}
        environment={one}
        onClose={close}
      />
    ));
  }

  pack(one: Environment): void {
    this._openTask(`Pack ${one.name}`, (model, close) => (
      <Pack
        model={model}
        environments={this._model}
        environment={one}
        onClose={close}
      />
    ));
  }

  compare(one: Environment): void {
    void openDialog(`Compare ${one.name}`, close => (
      <Diff environments={this._model} environment={one} onClose={close} />
    ));
  }

  showLock(one: Environment): void {
    this._openTask(`Lock of ${one.name}`, (model, close) => (
      <Export model={model} environment={one} onClose={close} />
    ));
  }

  share(one: Environment): void {
    this._openTask(`Share ${one.name}`, (model, close) => (
      <Share model={model} environment={one} onClose={close} />
    ));
  }

  remove(one: Environment): void {
    void openDialog(`Delete ${one.name}`, close => (
      <Remove
        environments={this._model}
        environment={one}
        onClose={close}
        onDone={gone => {
          close();
          Notification.success(gone.text, { autoClose: 8000 });
          this._changed();
        }}
      />
    ));
  }

  collectGarbage(): void {
    this._openTask('Free space', (model, close) => (
      <Garbage model={model} onClose={close} />
    ));
  }

  toggleKernel(one: Environment): void {
    this._toggleKernel(one, one.kernel !== null, false);
  }

  toggleImageKernel(one: Environment): void {
    this._toggleKernel(one, hasImageKernel(one), true);
  }

  use(one: Environment): void {
    void this._options.jobs?.submitWith(jobEnvironment(one));
  }

  cancel(task: Task): void {
    this._do(async () => {
      this._model.put(await this._model.client.cancelTask(task.id));
    });
  }

  showMenu(one: Environment, x: number, y: number): void {
    const menu = new Menu({ commands: this._options.commands });
    const args = { key: environmentKey(one) };
    for (const group of MENU) {
      for (const command of group) {
        menu.addItem({ command, args });
      }
      menu.addItem({ type: 'separator' });
    }
    const before = document.activeElement;
    menu.aboutToClose.connect(() => {
      if (before instanceof HTMLElement) {
        before.focus();
      }
      window.setTimeout(() => menu.dispose(), 0);
    }, this);
    menu.open(x, y);
  }

  private get _model(): EnvironmentsModel {
    return this._options.model;
  }

  private _toggleKernel(one: Environment, on: boolean, image: boolean): void {
    const { client } = this._model;
    this._do(async () => {
      const kernel = on
        ? await client.unregisterKernel(one.name, image)
        : await client.registerKernel(one.name, image);
      Notification.success(kernel.text, { autoClose: 6000 });
      this._changed();
    });
  }

  private _alter(kind: Alteration, one: Environment): void {
    const label = `${TITLES[kind]} ${one.name}`;
    this._openTask(label, (model, close) => (
      <Alter
        kind={kind}
        model={model}
        environments={this._model}
        environment={one}
        onClose={close}
        next={name => this._next(name, close)}
      />
    ));
  }

  /** What people do next with an environment that they made or changed. */
  private _next(name: string, close: () => void): INext[] {
    const one = this._model.list?.environments.find(
      other => other.kind === 'own' && other.name === name
    );
    if (!one) {
      return [];
    }
    const after = (run: () => void) => () => {
      close();
      run();
    };
    const next: INext[] = [
      { label: 'Add packages…', run: after(() => this.addPackages(one)) }
    ];
    if (!one.kernel) {
      next.push({
        label: 'Use as kernel',
        run: after(() => this.toggleKernel(one))
      });
    }
    return next;
  }

  private _openTask(
    label: string,
    content: (model: TaskModel, close: () => void) => React.ReactElement
  ): void {
    const model = new TaskModel(this._model);
    void openDialog(label, close => content(model, close)).then(() =>
      model.dispose()
    );
  }

  private _changed(): void {
    this._options.onKernels();
    void this._model.refresh();
  }

  /** Do it, and say in words when it did not work. */
  private _do(work: () => Promise<void>): void {
    work().catch((error: Error) => {
      const said = [error.message, ...hintsOf(problemsOf(error))];
      Notification.error([...new Set(said)].join(' '), { autoClose: 15_000 });
    });
  }
}

const TITLES: Record<Alteration, string> = {
  add: 'Add packages to',
  remove: 'Remove packages from',
  update: 'Update'
};

const MENU = [
  [CommandIDs.clone],
  [CommandIDs.addPackages, CommandIDs.update, CommandIDs.removePackages],
  [CommandIDs.history, CommandIDs.compare, CommandIDs.lock],
  [CommandIDs.pack, CommandIDs.share],
  [CommandIDs.kernel, CommandIDs.imageKernel, CommandIDs.use],
  [CommandIDs.remove]
];
