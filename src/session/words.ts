import type { HubSession, SessionView } from '../api/types';
import { count, showDuration, showTime } from '../components/quantities';

/** What the banner says, and what is lost; `null` while nothing is to be released. */
export function warningText(
  view: SessionView | null,
  now = new Date()
): string | null {
  const session = view?.session;
  if (!session?.warning) {
    return null;
  }
  const minutes = (now.getTime() - Date.parse(session.warning.since)) / 60_000;
  const idle = showDuration(Math.max(1, Math.floor(minutes)) * 60);
  return `${gpus(session)} idle for ${idle}; released at ${releaseTime(session, now)}.`;
}

/** What that means, and how old the news is. */
export function detailText(view: SessionView, now = new Date()): string {
  const session = view.session;
  const told = [
    'This session ends then: saved files stay, variables in memory are lost.'
  ];
  if (session?.keeps_left === 0) {
    told.push(
      'You have kept it as often as you can. Use it or save your work.'
    );
  }
  if (view.trouble && session) {
    told.push(
      `The hub does not answer; this is as of ${showTime(session.asked_at, now)}.`
    );
  }
  return told.join(' ');
}

/** What a screen reader says of a warning, once. */
export function announcement(view: SessionView, now = new Date()): string {
  return `${warningText(view, now) ?? ''} ${detailText(view, now)}`;
}

/** `Keep for 1 h`. */
export function keepLabel(session: HubSession): string {
  return `Keep for ${showDuration(session.keep_seconds)}`;
}

/** How long it is safe now, after *Keep*. */
export function keptText(until: Date, now = new Date()): string {
  return `Kept. Your GPU is not released before ${showTime(until.toISOString(), now)}, even if it stays idle.`;
}

/** `GPU (a100-slice)`, `2 GPUs (a100-slice, t4)`: a person may have several sessions. */
function gpus(session: HubSession): string {
  const many = session.devices.length;
  const pools = [...new Set(session.devices.map(one => one.pool))].join(', ');
  return `${many > 1 ? count(many, 'GPU') : 'GPU'}${pools && ` (${pools})`}`;
}

function releaseTime(session: HubSession, now: Date): string {
  return showTime(session.warning?.release_at ?? '', now);
}
