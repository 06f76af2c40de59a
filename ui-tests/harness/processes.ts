/**
 * Who is alive: processes are found by a word in their command line or environment, so that
 * what a job or a server left behind is seen even when nobody knows its number any more.
 */
import * as fs from 'fs';

export interface IProcess {
  pid: number;
  command: string;
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'latin1').replace(/\0/g, ' ').trim();
  } catch {
    return ''; // it ended while we looked, or it is not ours
  }
}

/** Living processes (no zombies) with `word` in their command line or environment. */
export function processesWith(word: string): IProcess[] {
  return fs
    .readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(name => ({
      pid: Number(name),
      command: read(`/proc/${name}/cmdline`)
    }))
    .filter(
      one =>
        one.command &&
        (one.command.includes(word) ||
          read(`/proc/${one.pid}/environ`).includes(word))
    );
}

/** `kill -9`, also of what ends at this very moment. */
export function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') {
      throw error;
    }
  }
}

/** Wait until `check` gives something true; `instead` says what there was instead. */
export async function until<T>(
  what: string,
  check: () => Promise<T> | T,
  seconds = 120,
  instead: () => string = () => ''
): Promise<NonNullable<T>> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await check();
    if (answer) {
      return answer;
    }
    if (Date.now() > end) {
      throw new Error(`Waited ${seconds} s for ${what}.\n${instead()}`);
    }
    await new Promise(resolve => setTimeout(resolve, 200));
  }
}
