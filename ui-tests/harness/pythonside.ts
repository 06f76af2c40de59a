/** A real part that the Python side of the tests brings up, and takes down when we end. */
import { ChildProcess, spawn } from 'child_process';
import * as path from 'path';

import { CHECKOUT, VENV } from './paths';
import { until } from './processes';

/** A program that prints one line when its part is up, and stops it at the end of its input. */
export class PythonSide {
  /** Run it; `null` where it ends without a line. */
  static async start(program: string): Promise<PythonSide | null> {
    const python = path.join(VENV, 'bin', 'python');
    const child = spawn(python, ['-c', program], {
      cwd: CHECKOUT,
      stdio: ['pipe', 'pipe', 'inherit']
    });
    const line = await new Promise<string>(resolve => {
      child.stdout.once('data', text => resolve(String(text).trim()));
      child.once('exit', () => resolve(''));
    });
    return line ? new PythonSide(child, line) : null;
  }

  private constructor(
    private readonly _child: ChildProcess,
    readonly line: string
  ) {}

  /** Tell it a line, and wait for the one that it answers. */
  async ask(line: string): Promise<string> {
    const { stdin, stdout } = this._child;
    const answer = new Promise<string>((resolve, reject) => {
      stdout?.once('data', text => resolve(String(text).trim()));
      this._child.once('exit', () =>
        reject(new Error(`The real part ended when it was told: ${line}.`))
      );
    });
    stdin?.write(`${line}\n`);
    return answer;
  }

  /** End it with all that runs in it. */
  async stop(): Promise<void> {
    const child = this._child;
    const ended = () => child.exitCode !== null || child.signalCode !== null;
    child.stdin?.end();
    await until('the real part to end', ended);
  }
}
