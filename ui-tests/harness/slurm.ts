/** A real Slurm for a story in the browser: three nodes with fake GPUs, started by Python. */
import { ChildProcess, spawn } from 'child_process';
import * as path from 'path';

import { CHECKOUT, VENV } from './paths';

const PROGRAM = `
from tests.systems import slurm
try:
    cluster = slurm.start()
except slurm.Missing as error:
    raise SystemExit(f"missing: {error}")
try:
    print(cluster.environment["SLURM_CONF"], flush=True)
    input()
except EOFError:
    pass
finally:
    cluster.stop()
`;

/** A cluster that lives as long as this page of the test run needs it. */
export class Slurm {
  /** Bring it up; `null` where there is none to be had. */
  static async start(): Promise<Slurm | null> {
    const child = spawn(path.join(VENV, 'bin', 'python'), ['-c', PROGRAM], {
      cwd: CHECKOUT,
      stdio: ['pipe', 'pipe', 'inherit']
    });
    const line = await new Promise<string>(resolve => {
      child.stdout.once('data', text => resolve(String(text).trim()));
      child.once('exit', () => resolve(''));
    });
    return line ? new Slurm(child, line) : null;
  }

  private constructor(
    private readonly _child: ChildProcess,
    private readonly _configuration: string
  ) {}

  /** Lines of `jupyter_mlinfn_config.py` that let Slurm's programs find this cluster. */
  readonly settings = (): string[] => [
    'import os',
    `os.environ["SLURM_CONF"] = ${JSON.stringify(this._configuration)}`
  ];

  /** End the cluster with all that runs on it. */
  async stop(): Promise<void> {
    const ended = new Promise(resolve => this._child.once('exit', resolve));
    this._child.stdin?.end();
    await ended;
  }
}
