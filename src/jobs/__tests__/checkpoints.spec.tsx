import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import type { Attempt, JobDetails } from '../../api/types';
import {
  Checkpoints,
  checkpointFacts,
  mayContinue,
  usingFacts
} from '../checkpoints';
import { job } from './fixtures';

function details(...lost: (number | null)[]): JobDetails {
  const attempts = lost.map(
    (lost_seconds, index) => ({ number: index + 1, lost_seconds }) as Attempt
  );
  return { attempts } as unknown as JobDetails;
}

const SAVED = '2026-11-21T08:30:00Z';

describe('Checkpoints', () => {
  it('says nothing of a job that has nothing to say', () => {
    const markup = renderToStaticMarkup(
      <Checkpoints job={job()} details={details()} />
    );
    expect(markup).toBe('');
  });

  it('counts evictions, tells the checkpoint and sums what was lost', () => {
    const facts = checkpointFacts(
      job({ evictions: 2, checkpoint_at: SAVED }),
      details(60, 35, null)
    );
    expect(facts.map(([name]) => name)).toEqual([
      'Evicted',
      'Newest checkpoint',
      'Work lost'
    ]);
    expect(facts[0][1]).toBe('2 times');
    expect(facts[2][1]).toBe('1 min 35 s');
  });

  it('tells what a running job uses, with units, and nothing after', () => {
    const using = {
      cpus: 1.52,
      memory: 3 * 2 ** 30,
      peak_memory: null,
      gpus_busy: null,
      at: SAVED
    };
    const progress = {
      cells_done: 0,
      cells_total: 1,
      current_cell: 1,
      last_line: null,
      values: {},
      using,
      at: SAVED
    };
    expect(usingFacts(job({ state: 'running', progress }))).toEqual([
      ['CPUs busy now', '1.5'],
      ['Memory now', '3.0 GiB']
    ]);
    expect(usingFacts(job({ state: 'succeeded', progress }))).toEqual([]);
    const started_at = '2026-11-21T08:00:00Z';
    expect(
      usingFacts(job({ state: 'running', started_at }), Date.parse(SAVED))
    ).toEqual([['Time left', '30 min']]);
  });

  it('offers to continue only where something was kept and the job ended', () => {
    expect(mayContinue(job({ state: 'failed', checkpoint_at: SAVED }))).toBe(
      true
    );
    expect(mayContinue(job({ state: 'failed' }))).toBe(false);
    expect(mayContinue(job({ state: 'running', checkpoint_at: SAVED }))).toBe(
      false
    );
    expect(mayContinue(job({ state: 'succeeded', checkpoint_at: SAVED }))).toBe(
      false
    );
    const failed = job({ state: 'failed', checkpoint_at: SAVED });
    const shown = (onContinue?: () => void) =>
      renderToStaticMarkup(
        <Checkpoints
          job={failed}
          details={details(3)}
          onContinue={onContinue}
        />
      );
    expect(shown(() => undefined)).toContain('Continue from the checkpoint');
    expect(shown()).not.toContain('Continue from the checkpoint');
  });
});
