/**
 * How accelerators are grouped and spoken of. Pure.
 */
import type { Accelerator, GpuSnapshot, Holder } from '../api/types';
import {
  count,
  showAge,
  showDuration,
  showTime
} from '../components/quantities';

/** A whole GPU with the MIG instances that are cut from it. */
export interface ICard {
  gpu: Accelerator | null;
  /** Instances somebody holds, or whose state is not plainly free. */
  shown: readonly Accelerator[];
  /** Free instances, counted by profile. */
  free: readonly { profile: string; number: number }[];
  slices: number;
}

/** Cards in the driver's order; instances whose GPU is hidden from us get a card without. */
export function cards(snapshot: GpuSnapshot): ICard[] {
  const wholes = snapshot.accelerators.filter(one => !one.parent);
  const known = new Set(wholes.map(one => one.uuid));
  const slices = snapshot.accelerators.filter(one => one.parent);
  const found = wholes.map(gpu =>
    card(
      gpu,
      slices.filter(one => one.parent === gpu.uuid)
    )
  );
  const orphans = slices.filter(one => !known.has(one.parent ?? ''));
  return orphans.length ? [...found, card(null, orphans)] : found;
}

function card(gpu: Accelerator | null, slices: readonly Accelerator[]): ICard {
  const counts = new Map<string, number>();
  for (const one of slices.filter(isFree)) {
    const profile = one.mig?.profile ?? one.name;
    counts.set(profile, (counts.get(profile) ?? 0) + 1);
  }
  return {
    gpu,
    slices: slices.length,
    shown: slices.filter(one => !isFree(one)),
    free: [...counts].map(([profile, number]) => ({ profile, number }))
  };
}

/** Nobody holds it and nothing speaks against that. */
export function isFree(one: Accelerator): boolean {
  return (
    one.state === 'ok' &&
    one.holders.length === 0 &&
    one.signal.state === 'idle'
  );
}

/** The word that stands beside every drawing of a signal. */
export function signalWord(one: Accelerator, now = Date.now()): string {
  if (one.state === 'lost') {
    return 'lost';
  }
  if (one.state === 'silent') {
    const since = one.taken_at ? ` since ${showTime(one.taken_at)}` : '';
    return `silent${since}`;
  }
  const { state, percent, since } = one.signal;
  if (state === 'busy' && percent !== null) {
    return `${Math.round(percent)} %`;
  }
  if (state === 'idle' && one.holders.length === 0) {
    return 'free';
  }
  if (state === 'idle' && since) {
    const seconds = (now - Date.parse(since)) / 1000;
    return seconds < 60 ? 'idle' : `idle ${showDuration(seconds)}`;
  }
  return state;
}

/** `train.ipynb (you)`, `outside this container`. */
export function holderText(holder: Holder): string {
  if (holder.kind === 'outside') {
    return holder.title || 'outside this container';
  }
  const what = holder.kind === 'job' ? `job ${holder.title}` : holder.title;
  const who = holder.mine ? 'you' : holder.user;
  return who ? `${what} (${who})` : what;
}

/** What is mine and idle: the most useful sentence, and who would be ended to free it. */
export interface IIdle {
  text: string;
  holders: readonly Holder[];
}

const WORTH_SAYING = 600;

/** Kernels of mine that hold an accelerator that has been idle for ten minutes. */
export function idleOfMine(
  snapshot: GpuSnapshot,
  now = Date.now()
): IIdle | null {
  const idle = snapshot.accelerators.filter(one => {
    const since = one.signal.since ? Date.parse(one.signal.since) : now;
    return (
      one.state === 'ok' &&
      one.signal.state === 'idle' &&
      now - since >= WORTH_SAYING * 1000 &&
      one.holders.some(isMyKernel)
    );
  });
  if (!idle.length) {
    return null;
  }
  const longest = Math.min(
    ...idle.map(one => Date.parse(one.signal.since ?? ''))
  );
  const noun = idle.every(one => one.parent) ? 'slice' : 'GPU';
  const age = showDuration((now - longest) / 1000);
  return {
    text: `You hold ${count(idle.length, noun)}, idle ${age}`,
    holders: idle.flatMap(one => one.holders.filter(isMyKernel))
  };
}

function isMyKernel(holder: Holder): boolean {
  return holder.mine && holder.kind === 'kernel' && holder.kernel_id !== null;
}

/** The status bar's words: `GPU 1 held · 83 %`; empty without a GPU. */
export function statusText(snapshot: GpuSnapshot | null): string {
  if (!snapshot || !snapshot.accelerators.length) {
    return '';
  }
  const mine = snapshot.accelerators.filter(one =>
    one.holders.some(holder => holder.mine)
  );
  if (!mine.length) {
    const free = snapshot.accelerators.filter(one => !one.cut && isFree(one));
    return `GPU ${free.length} free`;
  }
  const known = mine.flatMap(one =>
    one.signal.percent === null ? [] : [one.signal.percent]
  );
  const mean = known.reduce((sum, one) => sum + one, 0) / known.length;
  const busy = known.length ? ` · ${Math.round(mean)} %` : '';
  return `GPU ${mine.length} held${busy}`;
}

/** How old the sample is, once that matters. */
export function ageText(snapshot: GpuSnapshot, now = Date.now()): string {
  const old =
    snapshot.taken_at !== null && now - Date.parse(snapshot.taken_at) > 10_000;
  return old && snapshot.taken_at
    ? `Last answer of the driver: ${showAge(snapshot.taken_at, now)}`
    : '';
}
