import type { SessionModel } from './model';
import { announcement } from './words';

const SAME = 60_000;

/** Tell of each time of release once, however often it comes again. */
export function announceOnce(
  model: SessionModel,
  say: (sentence: string) => void
): void {
  let told = 0;
  model.stateChanged.connect(() => {
    const view = model.view;
    const end = Date.parse(view?.session?.warning?.release_at ?? '') || 0;
    // the hub counts by another clock than it shows: the same end differs by parts of a second
    if (view && end && Math.abs(end - told) > SAME) {
      say(announcement(view));
    }
    told = end;
  });
}
