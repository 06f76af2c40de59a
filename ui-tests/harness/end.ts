import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';

import { runPrefix } from './paths';
import { killHard, processesWith } from './processes';

/** After all tests: nothing of ours may be alive, and the folders go. */
export default function end(): void {
  const left = processesWith(`/${runPrefix()}`);
  for (const one of left) {
    killHard(one.pid);
  }
  for (const name of fs.readdirSync(os.tmpdir())) {
    if (name.startsWith(runPrefix())) {
      fs.rmSync(path.join(os.tmpdir(), name), { recursive: true, force: true });
    }
  }
  if (left.length) {
    const list = left.map(one => `${one.pid} ${one.command}`).join('\n');
    throw new Error(`The tests left processes behind:\n${list}`);
  }
}
