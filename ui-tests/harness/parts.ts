/** Real parts that took part: the same files as tests/parts.py writes. */
import { execFileSync } from 'child_process';
import * as fs from 'fs';
import * as path from 'path';

import { PARTS } from './paths';

function write(name: string, real: boolean, note: string): void {
  fs.mkdirSync(PARTS, { recursive: true });
  const file = path.join(PARTS, `${name.replace(/[^A-Za-z0-9]+/g, '-')}.json`);
  if (real || !fs.existsSync(file)) {
    fs.writeFileSync(file, JSON.stringify({ name, real, note }));
  }
}

/** The part was real in this run; `note` is its version or place. */
export function tookPart(name: string, note: string): void {
  write(name, true, note);
}

/** The part could not be had in this run. */
export function missed(name: string, why: string): void {
  write(name, false, why);
}

/** Version of a Python distribution in a virtual environment. */
export function pythonVersion(venv: string, distribution: string): string {
  const code = `import importlib.metadata as m; print(m.version(${JSON.stringify(distribution)}))`;
  return execFileSync(path.join(venv, 'bin', 'python'), ['-I', '-c', code])
    .toString()
    .trim();
}
