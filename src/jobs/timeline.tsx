import * as React from 'react';

import type { Attempt, JobDetails, JobRecord, JobState } from '../api/types';
import { showDuration, showTime } from '../components/quantities';
import { amendmentText } from './releasefields';
import { hasEnded, stateWord } from './words';

interface IStep {
  word: string;
  at: string | null;
  after: string;
  /** Why it came to that, or what was changed with it. */
  why?: string;
}

/** A time in which one thing was so: `to` is `null` while it still is. */
export interface ISpan {
  kind: 'waits' | 'runs';
  from: string;
  to: string | null;
}

/** What happened when: queued, every start, evictions, resumes, the end. */
export function steps(job: JobRecord, details: JobDetails): IStep[] {
  const found: IStep[] = [{ word: 'queued', at: job.submitted_at, after: '' }];
  let before: JobState | null = null;
  const releases = [...details.amendments];
  const releasedBefore = (start: string | null) => {
    while (releases.length && !isAfter(releases[0].at, start)) {
      const one = releases.splice(0, 1)[0];
      const why = amendmentText(one);
      found.push({ word: 'released', at: one.at, after: '', why });
    }
  };
  for (const attempt of details.attempts) {
    const free = found[found.length - 1].at;
    if (attempt.started_at) {
      releasedBefore(attempt.started_at);
      found.push({
        word: startWord(before, attempt.number),
        at: attempt.started_at,
        after: after('waited', free, attempt.started_at)
      });
    }
    if (attempt.ended_at && attempt.number < details.attempts.length) {
      const lost = attempt.lost_seconds
        ? `, ${showDuration(attempt.lost_seconds)} of it lost`
        : '';
      found.push({
        word: attempt.state,
        at: attempt.ended_at,
        after: after('ran', attempt.started_at, attempt.ended_at) + lost,
        why: whyEnded(attempt, details)
      });
    }
    before = attempt.state;
  }
  if (job.sweep && job.started_at) {
    found.push({
      word: 'first point started',
      at: job.started_at,
      after: after('waited', job.submitted_at, job.started_at)
    });
  }
  releasedBefore(null);
  if (hasEnded(job)) {
    const last = details.attempts[details.attempts.length - 1];
    const began = last?.started_at ?? job.started_at;
    found.push({
      word: stateWord(job),
      at: job.ended_at,
      after: began
        ? after('ran', began, job.ended_at)
        : after('waited', job.submitted_at, job.ended_at)
    });
  } else {
    found.push({ word: stateWord(job), at: null, after: '' });
  }
  return found;
}

/** What held it afterwards says more than how its program was told to end. */
function whyEnded(attempt: Attempt, details: JobDetails): string | undefined {
  const next = details.attempts.find(one => one.number > attempt.number);
  const held = details.amendments.find(
    ({ at }) =>
      isAfter(at, attempt.started_at) && !isAfter(at, next?.started_at ?? null)
  );
  return (held?.why ?? attempt.reason)?.text;
}

function isAfter(at: string | null, other: string | null): boolean {
  return at !== null && other !== null && Date.parse(at) > Date.parse(other);
}

function startWord(before: JobState | null, number: number): string {
  if (number === 1) {
    return 'started';
  }
  return `${before === 'evicted' ? 'resumed' : 'started'} (start ${number})`;
}

function after(verb: string, from: string | null, to: string | null): string {
  if (!from || !to) {
    return '';
  }
  return `${verb} ${showDuration((Date.parse(to) - Date.parse(from)) / 1000)}`;
}

/** The whole life of a job without a gap, as waits and runs. */
export function spans(job: JobRecord, details: JobDetails): ISpan[] {
  const found: ISpan[] = [];
  let free: string | null = job.submitted_at;
  // a sweep has no starts of its own: it runs from its first point's start to its last one's end
  const starts = job.sweep ? [job] : details.attempts;
  for (const { started_at, ended_at } of starts) {
    if (!started_at) {
      continue;
    }
    if (free && Date.parse(started_at) > Date.parse(free)) {
      found.push({ kind: 'waits', from: free, to: started_at });
    }
    found.push({ kind: 'runs', from: started_at, to: ended_at });
    free = ended_at;
  }
  if (!hasEnded(job) && free) {
    found.push({ kind: 'waits', from: free, to: null });
  } else if (!found.length && job.ended_at) {
    found.push({ kind: 'waits', from: job.submitted_at, to: job.ended_at });
  }
  return found;
}

export function Timeline(props: {
  job: JobRecord;
  details: JobDetails;
}): React.ReactElement {
  const { job, details } = props;
  return (
    <>
      <SpanBar found={spans(job, details)} />
      <ol className="jp-Mlinfn-timeline" aria-label="Timeline">
        {steps(job, details).map((step, index) => (
          <li key={index} data-now={step.at === null}>
            <strong>{step.word}</strong>
            {step.at && <time dateTime={step.at}>{showTime(step.at)}</time>}
            {step.after && <span className="jp-Mlinfn-hint">{step.after}</span>}
            {step.why && (
              <span className="jp-Mlinfn-why" title={step.why}>
                {step.why}
              </span>
            )}
          </li>
        ))}
      </ol>
    </>
  );
}

/** How the time went, to scale; the list below says the same in words. */
function SpanBar(props: {
  found: readonly ISpan[];
}): React.ReactElement | null {
  const now = Date.now();
  const length = (span: ISpan) =>
    ((span.to ? Date.parse(span.to) : now) - Date.parse(span.from)) / 1000;
  const total = (kind: ISpan['kind']) =>
    props.found
      .filter(span => span.kind === kind)
      .reduce((sum, span) => sum + Math.max(0, length(span)), 0);
  if (!props.found.length) {
    return null;
  }
  return (
    <div
      className="jp-Mlinfn-spans"
      role="img"
      aria-label={`Waited ${showDuration(total('waits'))}, ran ${showDuration(total('runs'))}`}
    >
      {props.found.map((span, index) => (
        <span
          key={index}
          data-kind={span.kind}
          style={{ flexGrow: Math.max(1, length(span)) }}
          title={`${span.kind === 'runs' ? 'ran' : 'waited'} ${showDuration(length(span))}`}
        />
      ))}
    </div>
  );
}
