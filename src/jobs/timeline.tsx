import * as React from 'react';

import type { JobDetails, JobRecord } from '../api/types';
import { showDuration, showTime } from '../components/quantities';
import { hasEnded, stateWord } from './words';

interface IStep {
  word: string;
  at: string | null;
  after: string;
}

/** What happened when: submitted, every start, the end. */
export function steps(job: JobRecord, details: JobDetails): IStep[] {
  const found: IStep[] = [
    { word: 'submitted', at: job.submitted_at, after: '' }
  ];
  for (const attempt of details.attempts) {
    const again = attempt.number > 1 ? ` (start ${attempt.number})` : '';
    if (attempt.started_at) {
      found.push({
        word: `started${again}`,
        at: attempt.started_at,
        after: after(found[found.length - 1].at, attempt.started_at)
      });
    }
    if (attempt.ended_at && attempt.number < details.attempts.length) {
      found.push({
        word: attempt.reason?.text ?? attempt.state,
        at: attempt.ended_at,
        after: after(attempt.started_at, attempt.ended_at)
      });
    }
  }
  if (hasEnded(job)) {
    found.push({
      word: stateWord(job),
      at: job.ended_at,
      after: after(job.started_at ?? job.submitted_at, job.ended_at)
    });
  } else {
    found.push({ word: stateWord(job), at: null, after: '' });
  }
  return found;
}

function after(from: string | null, to: string | null): string {
  if (!from || !to) {
    return '';
  }
  return `after ${showDuration((Date.parse(to) - Date.parse(from)) / 1000)}`;
}

export function Timeline(props: {
  job: JobRecord;
  details: JobDetails;
}): React.ReactElement {
  return (
    <ol className="jp-Mlinfn-timeline" aria-label="Timeline">
      {steps(props.job, props.details).map((step, index) => (
        <li key={index} data-now={step.at === null}>
          <strong>{step.word}</strong>
          {step.at && <time dateTime={step.at}>{showTime(step.at)}</time>}
          {step.after && <span className="jp-Mlinfn-hint">{step.after}</span>}
        </li>
      ))}
    </ol>
  );
}
