/**
 * A person's place on a machine: home, Jupyter's folders, a working folder with a copy of
 * the examples, and the Jupyter server that serves it. All of it is temporary.
 */
import { ChildProcess, execFile, spawn } from 'child_process';
import * as fs from 'fs';
import * as net from 'net';
import * as os from 'os';
import * as path from 'path';
import { promisify } from 'util';

import type { INotebookOptions } from './notebook';
import { notebookOf } from './notebook';
import { CHECKOUT, runPrefix, VENV } from './paths';
import { processesWith, until } from './processes';

const TOKEN = 'token-of-a-browser-test';

export interface IPlaceOptions {
  /** Which program serves: JupyterLab, or Notebook 7. */
  program?: 'lab' | 'notebook';
  /** `true`: simulated GPUs, as with `make lab GPUS=simulated`. */
  gpus?: boolean;
  /** A virtual environment on top of the checkout's, with more in it. */
  on?: string;
  /** CPUs that jobs may use together. */
  cpus?: number;
  /** Lines of `jupyter_mlinfn_config.py`, given the folder of this place. */
  settings?: (base: string) => string[];
  /** Further arguments of the server. */
  args?: string[];
}

/** What a job is, as `mlinfn … --json` prints it; the part that the tests read. */
export interface IJob {
  id: string;
  name: string;
  state: string;
  reason: { code: string; text: string } | null;
  parameters: Record<string, unknown>;
  output: string | null;
  source: string;
  attempts: number;
  progress: { values: Record<string, unknown> } | null;
}

const ENDED = ['succeeded', 'failed', 'cancelled'];

export class Place {
  /** Make the folders and start the server. */
  static async open(options: IPlaceOptions = {}): Promise<Place> {
    const place = new Place(options);
    place.port = await freePort();
    await place.start();
    return place;
  }

  private constructor(private readonly _options: IPlaceOptions) {
    this.base = fs.mkdtempSync(path.join(os.tmpdir(), runPrefix()));
    this.root = path.join(this.base, 'work');
    fs.cpSync(path.join(CHECKOUT, 'examples'), this.root, { recursive: true });
    for (const name of ['home', 'config', 'data', 'runtime']) {
      fs.mkdirSync(path.join(this.base, name));
    }
    this._configure();
  }

  readonly base: string;
  /** The folder that the server serves. */
  readonly root: string;
  port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    const pid = this._server?.pid;
    if (pid === undefined) {
      throw new Error('The server does not run.');
    }
    return pid;
  }

  /** The Python of the server. */
  get python(): string {
    return path.join(this._options.on ?? VENV, 'bin', 'python');
  }

  /** Address of a page, with the token that opens the door. */
  address(page: string): string {
    return `${this.url}/${page}${page.includes('?') ? '&' : '?'}token=${TOKEN}`;
  }

  /** The command of `make lab`, on this place's port and folders. */
  async start(): Promise<void> {
    const program = this._options.program ?? 'lab';
    const exposed = program === 'lab' ? 'LabApp' : 'JupyterNotebookApp';
    const log = fs.openSync(path.join(this.base, 'server.log'), 'a');
    const server = spawn(
      this.python,
      [
        '-m',
        program === 'lab' ? 'jupyterlab' : 'notebook',
        '--no-browser',
        `--port=${this.port}`,
        '--ServerApp.port_retries=0',
        `--ServerApp.root_dir=${this.root}`,
        `--IdentityProvider.token=${TOKEN}`,
        `--${exposed}.expose_app_in_browser=True`,
        ...(process.getuid?.() === 0 ? ['--allow-root'] : []),
        ...(this._options.args ?? [])
      ],
      { env: this.env(), cwd: this.root, stdio: ['ignore', log, log] }
    );
    fs.closeSync(log);
    this._server = server;
    await until(
      `the server on port ${this.port}`,
      async () => {
        if (server.exitCode !== null) {
          throw new Error(`The server ended: ${this.logs()}`);
        }
        return fetch(`${this.url}/api`).then(
          answer => answer.ok,
          () => false
        );
      },
      120,
      () => this.logs()
    );
  }

  /** Kill -9 of the server alone, and wait until it is gone. */
  async killServer(): Promise<void> {
    await this._end('SIGKILL');
  }

  /** End the jobs, then the server politely, and look that nothing stays. */
  async close(): Promise<void> {
    try {
      await this.cancelAll();
    } finally {
      await this._end('SIGTERM');
    }
    await until(
      `all processes of ${this.base} to end`,
      () => this._left() === '',
      60,
      () => this._left()
    );
    fs.rmSync(this.base, { recursive: true, force: true });
  }

  /** Cancel every job that has not ended. */
  async cancelAll(): Promise<void> {
    for (const job of await this.jobs()) {
      if (!ENDED.includes(job.state)) {
        await this._cancel(job.id);
      }
    }
  }

  /** A job that ends at this very moment is as good. */
  private async _cancel(id: string): Promise<void> {
    try {
      await this.mlinfn('job', 'cancel', id);
    } catch (error) {
      const job = (await this.jobs()).find(one => one.id === id);
      if (job && !ENDED.includes(job.state)) {
        throw error;
      }
    }
  }

  /** Run `mlinfn` as this person; standard output of it. */
  async mlinfn(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
      path.join(VENV, 'bin', 'mlinfn'),
      args,
      { env: this.env(), cwd: this.root }
    );
    return stdout;
  }

  /** Newest first; asked of the server where it runs, which is cheaper than a program. */
  async jobs(): Promise<IJob[]> {
    if (this._server?.exitCode !== null) {
      return JSON.parse(await this.mlinfn('jobs', '--json')).jobs;
    }
    const answer = await fetch(`${this.url}/mlinfn/api/v1/jobs`, {
      headers: { Authorization: `token ${TOKEN}` }
    });
    return ((await answer.json()) as { jobs: IJob[] }).jobs;
  }

  /** The newest job. */
  async newest(): Promise<IJob> {
    return (await this.jobs())[0];
  }

  /** Wait until a job is in a state; fails at once when it ended otherwise. */
  async job(id: string, state: string, seconds = 120): Promise<IJob> {
    return until(
      `job ${id} to be ${state}`,
      async () => {
        const job = (await this.jobs()).find(one => one.id === id);
        if (job && ENDED.includes(job.state) && job.state !== state) {
          throw new Error(`The job is ${job.state}: ${job.reason?.text}`);
        }
        return job?.state === state ? job : null;
      },
      seconds
    );
  }

  /** A file of the working folder, as text. */
  read(file: string): string {
    return fs.readFileSync(path.resolve(this.root, file), 'utf-8');
  }

  write(file: string, text: string): void {
    const target = path.resolve(this.root, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text);
  }

  /** Write a notebook of code cells; the first may be the parameters. */
  notebook(file: string, cells: string[], more: INotebookOptions = {}): void {
    this.write(file, JSON.stringify(notebookOf(cells, more)));
  }

  /** Ends of the logs of server, program and dispatcher, for error messages. */
  logs(): string {
    return [
      'server.log',
      'data/mlinfn/errors.log',
      'data/mlinfn/dispatcher.log'
    ]
      .map(name => path.join(this.base, name))
      .filter(file => fs.existsSync(file))
      .map(file => `${file}\n${fs.readFileSync(file, 'utf-8').slice(-3000)}`)
      .join('\n');
  }

  /** The person's environment: nothing of who runs the tests but the system's paths. */
  env(): NodeJS.ProcessEnv {
    const { gpus, on } = this._options;
    const bin = [...(on ? [on] : []), VENV].map(venv => path.join(venv, 'bin'));
    return {
      PATH: [...bin, '/usr/local/bin', '/usr/bin', '/bin'].join(':'),
      LANG: 'C.UTF-8',
      HOME: path.join(this.base, 'home'),
      JUPYTER_CONFIG_DIR: path.join(this.base, 'config'),
      JUPYTER_DATA_DIR: path.join(this.base, 'data'),
      JUPYTER_RUNTIME_DIR: path.join(this.base, 'runtime'),
      JUPYTER_PLATFORM_DIRS: '0',
      // a loaded machine is slow, not silent
      MLINFN_ANSWER_SECONDS: '10',
      ...(gpus ? { MLINFN_GPUS: 'simulated' } : {}),
      ...(on ? this._below() : {})
    };
  }

  /** The checkout's own extensions and configuration, for a server of another prefix. */
  private _below(): NodeJS.ProcessEnv {
    return {
      JUPYTER_PATH: path.join(VENV, 'share', 'jupyter'),
      JUPYTER_CONFIG_PATH: path.join(VENV, 'etc', 'jupyter'),
      JUPYTERLAB_DIR: path.join(VENV, 'share', 'jupyter', 'lab')
    };
  }

  private _configure(): void {
    // JupyterLab's question about news would lie over what the tests look at.
    this.write(
      '../config/lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings',
      JSON.stringify({ fetchNews: 'false', checkForUpdates: false })
    );
    const { cpus, settings } = this._options;
    const lines = [
      ...(cpus ? [`c.Mlinfn.job_cpus = ${cpus}`] : []),
      ...(settings?.(this.base) ?? [])
    ];
    if (lines.length) {
      this.write(
        '../config/jupyter_mlinfn_config.py',
        ['c = get_config()', ...lines, ''].join('\n')
      );
    }
  }

  private async _end(signal: NodeJS.Signals): Promise<void> {
    const server = this._server;
    if (!server) {
      return;
    }
    const ended = () => server.exitCode !== null || server.signalCode !== null;
    server.kill(signal);
    try {
      await until('the server to end', ended, this._options.on ? 5 : 60, () =>
        this.logs()
      );
    } catch (error) {
      server.kill('SIGKILL');
      // AnyIO worker threads of jupyter-collaboration 4.4 outlive the server's loop and keep
      // its process from ending; ours would be an error.
      if (!this._options.on) {
        throw error;
      }
    }
    this._server = null;
  }

  private _left(): string {
    return processesWith(this.base)
      .map(one => `${one.pid} ${one.command}`)
      .join('\n');
  }

  private _server: ChildProcess | null = null;
}

/** A port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as net.AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
