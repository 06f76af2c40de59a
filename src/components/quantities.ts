/**
 * Numbers as people read them; every one with its unit.
 */

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `8589934592` → `8.0 GiB`. */
export function showBytes(amount: number): string {
  let value = amount;
  let unit = 0;
  while (value >= 1024 && unit < BYTES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0
    ? `${Math.round(value)} B`
    : `${value.toFixed(1)} ${BYTES[unit]}`;
}

/** `{used, total}` in one unit: `8.1 / 9.8 GiB`. */
export function showShare(used: number, total: number): string {
  const [number, unit] = showBytes(total).split(' ');
  const factor = total / parseFloat(number);
  return `${(used / factor).toFixed(1)} / ${number} ${unit}`;
}

/** Seconds below which tenths of them are told. */
const TENTHS_BELOW = 10;
/** What floating point leaves: 2.3 * 10 is a little less than 23. */
const NOISE = 1e-6;

/**
 * `5400` → `1 h 30 min`; below a minute `42 s`, below ten seconds `0.5 s`; from two days on
 * `3 d 4 h`. Cut, not rounded, as the terminal does.
 */
export function showDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds + NOISE));
  const tenths = Math.floor(seconds * 10 + NOISE);
  if (seconds > 0 && seconds < TENTHS_BELOW && tenths % 10) {
    return `${Math.floor(tenths / 10)}.${tenths % 10} s`;
  }
  if (seconds > 0 && !tenths) {
    return 'less than 0.1 s';
  }
  if (whole < 60) {
    return `${whole} s`;
  }
  const two = (big: number, small: number, a: string, b: string) =>
    small ? `${big} ${a} ${small} ${b}` : `${big} ${a}`;
  if (whole < 3600) {
    return two(Math.floor(whole / 60), whole % 60, 'min', 's');
  }
  const hours = Math.floor(whole / 3600);
  if (hours < 48) {
    return two(hours, Math.floor((whole % 3600) / 60), 'h', 'min');
  }
  return two(Math.floor(hours / 24), hours % 24, 'd', 'h');
}

/** A running clock of fixed width: `00:42`, `1:02:03`. */
export function showClock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const rest = `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return whole < 3600 ? rest : `${Math.floor(whole / 3600)}:${rest}`;
}

/** `14:02` today, `20 Nov, 14:02` on another day. */
export function showTime(iso: string, now = new Date()): string {
  const time = new Date(iso);
  const clock = time.toLocaleTimeString([], {
    hour: '2-digit',
    hourCycle: 'h23',
    minute: '2-digit'
  });
  if (time.toDateString() === now.toDateString()) {
    return clock;
  }
  const day = time.toLocaleDateString([], { day: 'numeric', month: 'short' });
  return `${day}, ${clock}`;
}

/** How long ago: `just now`, `40 min`, `2 d`. */
export function showAge(iso: string, now = Date.now()): string {
  const seconds = (now - new Date(iso).getTime()) / 1000;
  return seconds < 10 ? 'just now' : `${showDuration(seconds)} ago`;
}

/** `1 job`, `3 jobs`. */
export function count(number: number, noun: string, plural?: string): string {
  return `${number} ${number === 1 ? noun : (plural ?? `${noun}s`)}`;
}

const MEMORY = /^([0-9]+(?:\.[0-9]+)?)\s*(?:([kmgt])(i?)b?)?$/i;
const POWERS = { k: 1, m: 2, g: 3, t: 4 } as const;

/** Bytes of `8GiB`, `512 MiB`, `1.5g`; a bare number means GiB. `null` when it is none. */
export function parseBytes(text: string): number | null {
  const found = MEMORY.exec(text.trim());
  if (!found) {
    return null;
  }
  const power = POWERS[(found[2] ?? 'g').toLowerCase() as 'g'];
  const amount = Math.round(parseFloat(found[1]) * 1024 ** power);
  return amount > 0 ? amount : null;
}

const CLOCK = /^(?:(\d+)-)?(\d+):([0-5]\d)(?::([0-5]\d))?$/;
const SPAN = /(\d+(?:\.\d+)?)\s*(s|min|m|h|d)\s*/g;
const SECONDS: Record<string, number> = {
  s: 1,
  m: 60,
  min: 60,
  h: 3600,
  d: 86400
};

/** Seconds of `8h`, `1 h 30 min`, `01:30:00`; `null` when it is no time. */
export function parseDuration(text: string): number | null {
  const trimmed = text.trim();
  const clock = CLOCK.exec(trimmed);
  if (clock) {
    const [days, hours, minutes, seconds] = clock
      .slice(1)
      .map(part => Number(part ?? 0));
    return days * 86400 + hours * 3600 + minutes * 60 + seconds || null;
  }
  if (!trimmed || trimmed.replace(SPAN, '') !== '') {
    return null;
  }
  let total = 0;
  for (const [, number, unit] of trimmed.matchAll(SPAN)) {
    total += parseFloat(number) * SECONDS[unit];
  }
  return total >= 1 ? Math.floor(total) : null;
}
