import * as React from 'react';

import type { JobDetails, JobRecord } from '../api/types';
import { Button } from '../components/buttons';
import {
  count,
  showAge,
  showBytes,
  showDuration,
  showTime
} from '../components/quantities';
import { limitOf } from './timelimit';

interface ICheckpointsProps {
  job: JobRecord;
  details: JobDetails;
  /** Runs the job again with a copy of its checkpoints; without it no button is shown. */
  onContinue?: (job: JobRecord) => void;
}

/** What the job uses now, how often it gave way, what its checkpoints saved and what was lost. */
export function Checkpoints(
  props: ICheckpointsProps
): React.ReactElement | null {
  const { job, details, onContinue } = props;
  const facts = [...usingFacts(job), ...checkpointFacts(job, details)];
  if (!facts.length) {
    return null;
  }
  return (
    <section>
      <h3>Checkpoints and use</h3>
      <dl className="jp-Mlinfn-facts">
        {facts.map(([name, value]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </React.Fragment>
        ))}
      </dl>
      {onContinue && mayContinue(job) && (
        <Button
          title="Run it again, beginning with a copy of its checkpoints"
          onClick={() => onContinue(job)}
        >
          Continue from the checkpoint
        </Button>
      )}
    </section>
  );
}

/** Whether there is something a new job could go on from. */
export function mayContinue(job: JobRecord): boolean {
  const stopped = job.state === 'failed' || job.state === 'cancelled';
  return stopped && job.checkpoint_at !== null && !job.sweep;
}

/** What it uses at this moment and how long it may go on, as far as it is known. */
export function usingFacts(
  job: JobRecord,
  now = Date.now()
): [string, string][] {
  const limit = limitOf(job);
  const time: [string, string][] =
    limit && limit > now
      ? [['Time left', showDuration((limit - now) / 1000)]]
      : [];
  const using = job.state === 'running' ? job.progress?.using : null;
  if (!using) {
    return time;
  }
  const { cpus, memory, gpus_busy: busy } = using;
  const facts: [string, string | null][] = [
    ...time,
    ['CPUs busy now', cpus === null ? null : cpus.toFixed(1)],
    ['Memory now', memory === null ? null : showBytes(memory)],
    ['GPUs busy now', busy === null ? null : `${Math.round(busy)} %`]
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== null);
}

/** Evictions, the newest checkpoint, and what was lost between the two. */
export function checkpointFacts(
  job: JobRecord,
  details: JobDetails
): [string, string][] {
  const facts: [string, string][] = [];
  const lost = details.attempts
    .map(attempt => attempt.lost_seconds ?? 0)
    .reduce((sum, seconds) => sum + seconds, 0);
  if (job.evictions) {
    facts.push(['Evicted', count(job.evictions, 'time')]);
  }
  if (job.checkpoint_at) {
    const when = showTime(job.checkpoint_at);
    facts.push([
      'Newest checkpoint',
      `${when} (${showAge(job.checkpoint_at)})`
    ]);
  }
  if (lost) {
    facts.push(['Work lost', showDuration(lost)]);
  }
  return facts;
}
