/** A hub on ports and in a folder of its own, with simulated GPUs: that of `make hub`, or another. */
import { ChildProcess, spawn } from 'child_process';
import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';

import { CHECKOUT, runPrefix, VENV } from './paths';
import { freePort } from './place';
import { killHard, processesWith, until } from './processes';

const PASSWORD = 'password-of-a-browser-test';
const MAKE_HUB = path.join(CHECKOUT, 'deploy', 'hub', 'jupyterhub_config.py');

export class Hub {
  /** Start it from its file and wait until it shows its login page. */
  static async open(config = MAKE_HUB): Promise<Hub> {
    const ports = [];
    while (ports.length < 4) {
      ports.push(await freePort());
    }
    const hub = new Hub(ports, config);
    await until(
      'the hub',
      async () => {
        if (hub._process.exitCode !== null) {
          throw new Error(`The hub ended: ${hub.logs()}`);
        }
        return fetch(`${hub.url}/hub/login`).then(
          answer => answer.ok,
          () => false
        );
      },
      120,
      () => hub.logs()
    );
    return hub;
  }

  private constructor(ports: number[], config: string) {
    this.base = fs.mkdtempSync(path.join(os.tmpdir(), runPrefix()));
    this.url = `http://127.0.0.1:${ports[0]}`;
    const log = fs.openSync(path.join(this.base, 'hub.log'), 'a');
    this._process = spawn(
      path.join(VENV, 'bin', 'python'),
      ['-m', 'jupyterhub', '-f', config],
      {
        cwd: this.base,
        stdio: ['ignore', log, log],
        env: {
          ...process.env,
          PATH: `${path.join(VENV, 'bin')}:${process.env.PATH}`,
          HOME: this.base,
          MLINFN_CHECKOUT: CHECKOUT,
          MLINFN_GPUS: 'simulated',
          MLINFN_HUB_STATE: this.base,
          MLINFN_HUB_PORTS: ports.join(),
          MLINFN_HUB_PASSWORD: PASSWORD,
          MLINFN_HUB_SPAWNER: 'local'
        }
      }
    );
    fs.closeSync(log);
  }

  /** Its folder. */
  readonly base: string;
  readonly url: string;
  /** Of ada, bea and eve. */
  readonly password = PASSWORD;

  logs(): string {
    return fs.readFileSync(path.join(this.base, 'hub.log'), 'utf-8');
  }

  /** End it with its sessions, and look that nothing stays. */
  async close(): Promise<void> {
    this._process.kill('SIGTERM');
    await until(
      'the hub to end',
      () => this._process.exitCode !== null || this._process.signalCode !== null
    );
    processesWith(this.base).forEach(one => killHard(one.pid));
    fs.rmSync(this.base, { recursive: true, force: true });
  }

  private readonly _process: ChildProcess;
}
