import { renderToStaticMarkup } from 'react-dom/server';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import { ApiProblem, NoServerPart } from '../../api/client';
import type { JobRecord } from '../../api/types';
import type { IJobActions } from '../actions';
import { plainText } from '../log';
import { NO_FILTER } from '../filter';
import type { StateCounts } from '../listing';
import { entriesOf } from '../listing';
import type { JobsModel } from '../model';
import { Selection } from '../selection';
import { nextIndex } from '../../components/keys';
import { Jobs } from '../panel';
import { steps } from '../timeline';
import { job } from './fixtures';

const actions = new Proxy(
  {},
  { get: () => () => undefined }
) as unknown as IJobActions;

function draw(changes: object): string {
  const live = { status: 'live', pausedReason: '', trouble: () => '' };
  Object.assign(live, { statusChanged: new Signal(live) });
  const jobs = (changes as { jobs?: JobRecord[] }).jobs ?? [];
  const matching: StateCounts = {};
  jobs.forEach(one => (matching[one.state] = (matching[one.state] ?? 0) + 1));
  const model = {
    jobs: null,
    counts: { running: 0, queued: 0, failed_today: 0, total: 0, by_state: {} },
    error: null,
    filtered: false,
    trouble: () => null,
    filter: NO_FILTER,
    choices: { backends: [], environments: [] },
    matching,
    found: jobs.length,
    entries: entriesOf(jobs, matching, []),
    selection: new Selection(() => undefined),
    selected: null,
    live,
    ...changes
  };
  Object.assign(model, { stateChanged: new Signal(model) });
  return renderToStaticMarkup(
    <Jobs
      model={model as unknown as JobsModel}
      actions={actions}
      narrow={true}
    />
  );
}

function list(...jobs: JobRecord[]): string {
  const counts = { running: 1, queued: 2, failed_today: 3, total: 6 };
  return draw({ jobs, counts });
}

describe('the jobs panel', () => {
  it('shows grey lines until the first answer', () => {
    expect(draw({})).toContain('jp-Mlinfn-skeleton');
  });

  it('says what a job is and how to begin when there is none', () => {
    const html = draw({ jobs: [] });
    expect(html).toContain('No jobs yet');
    expect(html).toContain('Submit a notebook…');
  });

  it('tells nothing found from nothing there', () => {
    const html = draw({ jobs: [], filtered: true });
    expect(html).toContain('No job is like this');
    expect(html).not.toContain('No jobs yet');
  });

  it('says what happened, with Retry and Details', () => {
    const error = new ApiProblem(503, 'unavailable', 'The index is locked.');
    const html = draw({ error });
    expect(html).toContain('The index is locked.');
    expect(html).toContain('Retry');
    expect(html).toContain('HTTP 503, unavailable');
  });

  it('is calm where there is no server part', () => {
    const html = draw({ error: new NoServerPart() });
    expect(html).toContain('There is no server part here');
    expect(html).not.toContain('Retry');
  });

  it('keeps showing the list, and says so, when an update fails', () => {
    const html = draw({ jobs: [job()], error: new Error('No answer.') });
    expect(html).toContain('train.ipynb');
    expect(html).toContain('What you see may be old.');
  });

  it('says in the server’s words that the list may be old', () => {
    const trouble = () => 'The job index is locked.';
    const live = { status: 'live', pausedReason: '', trouble };
    Object.assign(live, { statusChanged: new Signal(live) });
    expect(draw({ jobs: [job()], live })).toContain(
      'The job index is locked. What you see may be old.'
    );
  });

  it('counts, and says the state in a word beside its shape', () => {
    const html = list(job({ state: 'running' }));
    expect(html).toContain('Running 1 · queued 2 · failed 3 today');
    expect(html).toMatch(/data-state="running"[\s\S]*>running</);
  });

  it('says why, with the button that helps', () => {
    const html = list(
      job({
        state: 'failed',
        reason: { code: 'out-of-memory', text: 'Out of memory.' }
      })
    );
    expect(html).toContain('Out of memory.');
    expect(html).toContain('Rerun with 3.0 GiB');
  });

  it('writes what a notebook printed as text, never as HTML', () => {
    const html = list(
      job({
        name: '<img src=x onerror=alert(1)>',
        state: 'running',
        progress: {
          cells_done: 0,
          cells_total: 1,
          current_cell: 1,
          last_line: '<script>alert(1)</script>',
          values: {},
          using: null,
          at: null
        }
      })
    );
    expect(html).not.toContain('<script>');
    expect(html).not.toContain('<img');
  });

  it('puts the jobs below the heads of their groups, with their numbers', () => {
    const html = list(
      job({ id: 'failed0000', state: 'failed' }),
      job(),
      job({ id: 'bbbbbbbbbb' })
    );
    const heads = [...html.matchAll(/data-group="(\w+)"/g)].map(one => one[1]);
    expect(heads).toEqual(['queued', 'failed']);
    expect(html).toMatch(/Queued<\/strong> <span[^>]*>2</);
    expect(html.indexOf('data-group="failed"')).toBeLessThan(
      html.indexOf('data-job-id="failed0000"')
    );
    expect(html).toContain('aria-rowcount="5"');
  });

  it('draws a few of ten thousand', () => {
    const many = Array.from({ length: 10_000 }, (_, n) =>
      job({ id: `job${String(n).padStart(7, '0')}` })
    );
    const rows = list(...many).match(/role="row"/g) ?? [];
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.length).toBeLessThan(60);
  });

  it('offers what can be done with the chosen jobs', () => {
    const selection = new Selection(() => undefined);
    selection.choose(['aaaaaaaaaa'], 'aaaaaaaaaa');
    const html = draw({
      jobs: [job(), job({ id: 'bbbbbbbbbb' })],
      found: 2345,
      selection
    });
    expect(html).toContain('1 job chosen');
    expect(html).toContain('Choose all 2,345');
    selection.chooseAll(['aaaaaaaaaa', 'bbbbbbbbbb']);
    expect(draw({ jobs: [job()], found: 2345, selection })).toContain(
      'All 2345 jobs that match'
    );
  });

  it('makes one row reachable by Tab, the others by arrows', () => {
    const html = list(job(), job({ id: 'bbbbbbbbbb' }));
    expect(html.match(/role="row"[^>]*tabindex="0"/g)).toHaveLength(1);
  });
});

it('moves by keys and stays inside the list', () => {
  expect(nextIndex('ArrowDown', 0, 3)).toBe(1);
  expect(nextIndex('ArrowDown', 2, 3)).toBe(2);
  expect(nextIndex('ArrowUp', 0, 3)).toBe(0);
  expect(nextIndex('End', 0, 3)).toBe(2);
  expect(nextIndex('x', 0, 3)).toBeNull();
});

it('shows a log without colour codes and overwritten progress bars', () => {
  expect(plainText('\u001b[31mred\u001b[0m\r\n10%\r50%\rdone\n')).toBe(
    'red\ndone\n'
  );
});

it('tells every start in the timeline, and how the earlier ones ended', () => {
  const attempt = {
    number: 1,
    state: 'evicted' as const,
    reason: { code: 'lost' as const, text: 'The machine was stopped.' },
    host: null,
    accelerators: [],
    started_at: '2026-11-21T08:01:00Z',
    ended_at: '2026-11-21T08:02:00Z',
    exit_code: null,
    usage: { peak_memory: null, cpu_seconds: null }
  };
  const second = {
    ...attempt,
    number: 2,
    state: 'running' as const,
    reason: null,
    started_at: '2026-11-21T08:03:00Z',
    ended_at: null
  };
  const running = job({ state: 'running', started_at: second.started_at });
  const found = steps(running, {
    job: running,
    attempts: [attempt, second],
    amendments: [
      {
        at: '2026-11-21T08:02:30Z',
        why: { code: 'held', text: 'It used too much.' },
        before: { cpus: 1, memory: 1024 ** 3, time: 60, disk: null },
        now: { cpus: 1, memory: 2 * 1024 ** 3, time: 60, disk: null }
      }
    ],
    values: []
  } as unknown as Parameters<typeof steps>[1]);
  expect(found.map(step => step.why).filter(Boolean)).toEqual([
    'It used too much.',
    'Memory 1.0 GiB → 2.0 GiB'
  ]);
  expect(found.map(step => [step.word, step.after])).toEqual([
    ['queued', ''],
    ['started', 'waited 1 min'],
    ['evicted', 'ran 1 min'],
    ['released', ''],
    ['resumed (start 2)', 'waited 1 min'],
    ['running', '']
  ]);
});
