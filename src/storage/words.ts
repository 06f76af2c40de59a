/** What is said of storage areas, in words. */
import type {
  Area,
  AreaState,
  AreaUse,
  BackupEntry,
  RestoreTask
} from '../api/types';
import {
  count,
  showAge,
  showBytes,
  showShare,
  showTime
} from '../components/quantities';

/** From this share on an area is called nearly full. */
export const NEARLY = 0.9;

/** Whether what lies there is kept when the container goes. */
export function survivalText(area: Area): string {
  return area.survives ? 'survives the container' : 'lost with the container';
}

/** Who sees it. */
export function audienceText(area: Area): string {
  switch (area.audience) {
    case 'you':
      return 'seen by you alone';
    case 'group':
      return `seen by your group${area.group ? ` ${area.group}` : ''}`;
    default:
      return 'seen by everyone here';
  }
}

/** Whether batch nodes see it; nobody may have said. */
export function batchText(area: Area): string {
  if (area.batch === null) {
    return 'not known whether batch nodes see it';
  }
  if (area.store && area.batch.length) {
    return `reached from batch nodes by S3 alone (${area.batch.join(', ')})`;
  }
  return area.batch.length
    ? `seen by batch nodes (${area.batch.join(', ')})`
    : 'not seen by batch nodes';
}

/** The small facts of an area. */
export function factsOf(area: Area): string[] {
  const facts = [survivalText(area), audienceText(area), batchText(area)];
  return area.writable ? facts : [...facts, 'read-only'];
}

/** How full, from 0 to 1; `null` where it is not known. */
export function fullness(use: AreaUse | null): number | null {
  if (!use || use.used === null || !use.total) {
    return null;
  }
  return Math.min(1, use.used / use.total);
}

/** `3.1 / 20.0 GiB of the quota`. */
export function useText(state: AreaState): string {
  const { use } = state;
  if (state.state !== 'ready') {
    return '';
  }
  if (!use || use.used === null) {
    return state.counting ? 'being counted …' : '';
  }
  const used = use.at_least
    ? `at least ${showBytes(use.used)}`
    : showBytes(use.used);
  if (!use.total) {
    return state.area.store && !use.files ? 'empty' : used;
  }
  if (use.at_least) {
    return `${used}, of ${showBytes(use.total)} of the ${use.of}`;
  }
  const share = fullness(use) ?? 0;
  const amount = showShare(use.used, use.total);
  const full = share >= NEARLY ? ', nearly full' : '';
  return `${amount} of the ${use.of}${full}`;
}

/** How old a count is, and of how many files; nothing for what the system tells by itself. */
export function countText(state: AreaState, now = Date.now()): string {
  const { use } = state;
  if (!use || use.files === null) {
    return '';
  }
  const age = showAge(use.measured_at, now);
  const again = state.counting ? ', being counted again' : '';
  const what = state.area.store ? 'object' : 'file';
  const more = use.at_least ? 'the first ' : '';
  return `${more}${count(use.files, what)}, counted ${age}${again}`;
}

/** `4 copies, the newest of 14:02`. */
export function copiesText(state: AreaState, now = new Date()): string {
  if (state.area.snapshots === null) {
    return '';
  }
  if (!state.newest) {
    return 'no copy yet';
  }
  const newest = showTime(state.newest, now);
  return `${count(state.copies, 'copy', 'copies')}, the newest of ${newest}`;
}

/** Why an area cannot be opened in the file browser; `null` where it can. */
export function outsideText(state: AreaState): string | null {
  if (state.area.store) {
    return `A bucket: programs of S3 reach it with the profile ‘${state.area.name}’.`;
  }
  if (state.area.kind === 'bucket' && !state.area.path) {
    return 'A bucket: programs reach it by its address.';
  }
  return state.place === null
    ? 'Outside the folder that the file browser shows.'
    : null;
}

/** A key of a path for eyes; bytes that are no text show as such. */
export function pathText(key: string): string {
  return key
    .split('/')
    .map(part => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part.replace(/(%[0-9A-F]{2})+/gi, '\ufffd');
      }
    })
    .join('/');
}

/** The folders on the way to a path, each with its key. */
export function wayTo(key: string): { name: string; path: string }[] {
  const parts = key ? key.split('/') : [];
  return parts.map((part, index) => ({
    name: pathText(part),
    path: parts.slice(0, index + 1).join('/')
  }));
}

/** What one name in a copy is: its size, or its kind. */
export function entryText(entry: BackupEntry): string {
  return entry.size === null ? entry.kind : showBytes(entry.size);
}

/** How far a restore is, or how it ended. */
export function restoreText(task: RestoreTask): string {
  if (task.state !== 'running') {
    return task.text ?? 'It ended, and did not say how.';
  }
  const done = `${count(task.files, 'file')}, ${showBytes(task.size)}`;
  return `Restoring ${task.name}: ${done} so far.`;
}
