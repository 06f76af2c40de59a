import * as React from 'react';
import { createRoot } from 'react-dom/client';

import type { Client } from '../../api/client';
import { SharingClient } from '../../api/sharing';
import type { JobDetails, SharedDetails } from '../../api/types';
import { SharedJobPage } from '../sharedjob';
import { job } from './fixtures';

// the exact record is another part's, and wants a whole one
jest.mock('../record', () => ({ Record: () => null }));

const COUNTS = {
  points: 2,
  throttle: null,
  queued: 0,
  starting: 0,
  running: 0,
  evicted: 0,
  succeeded: 1,
  failed: 1,
  cancelled: 0
};

function point(index: number, state: string) {
  return {
    index,
    state,
    reason: state === 'failed' ? { code: 'x', text: 'It fell over.' } : null,
    cancelling: false,
    parameters: { lr: index / 10 },
    values: {},
    attempts: 1,
    host: null,
    started_at: '2026-11-21T08:00:00Z',
    ended_at: '2026-11-21T08:00:00.500Z',
    exit_code: 0,
    output: null,
    usage: { peak_memory: null, cpu_seconds: null }
  };
}

beforeAll(() => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
});

afterEach(() => document.body.replaceChildren());

/** The page of a shared sweep, and all addresses that were asked. */
async function shown() {
  const one = job({ id: 'k3jq7aaaaa', state: 'failed', sweep: COUNTS });
  const told = {
    details: {
      job: one,
      attempts: [],
      amendments: []
    } as unknown as JobDetails,
    notes: [],
    outputs: [],
    shared: { area: 'lhcb', id: one.id, owner: 'anna', mine: false }
  } as unknown as SharedDetails;
  const asked: string[] = [];
  const page = {
    points: [point(0, 'succeeded'), point(1, 'failed')],
    next: null,
    matching: 2,
    columns: { parameters: ['lr'], values: [] },
    counts: COUNTS
  };
  const client = {
    call: async () => told,
    points: async (_id: string, _query: object, where: string) => {
      asked.push(`${where}/points`);
      return page;
    },
    pointLog: async (
      _id: string,
      number: number,
      _start: number,
      where: string
    ) => {
      asked.push(`${where}/points/${number}/log`);
      return { text: 'Traceback', start: 0, next: 9, size: 9 };
    }
  } as unknown as Client;
  const onSavePoints = jest.fn();
  const nothing = () => undefined;
  const node = document.createElement('div');
  document.body.replaceChildren(node);
  await React.act(async () =>
    createRoot(node).render(
      <SharedJobPage
        client={new SharingClient(client)}
        area="lhcb"
        id={one.id}
        onNotebook={nothing}
        onFolder={nothing}
        onCompare={nothing}
        onRerun={nothing}
        onSavePoints={onSavePoints}
      />
    )
  );
  return { asked, node, onSavePoints };
}

/** Let answers come until there is something to see; jest's own limit ends a wait in vain. */
async function until(seen: () => unknown): Promise<void> {
  while (!seen()) {
    await React.act(async () => {
      await new Promise(resolve => setTimeout(resolve, 10));
    });
  }
}

function buttons(node: Element): string[] {
  return [...node.querySelectorAll('button')].map(one => one.textContent ?? '');
}

it('shows the points of a shared sweep, to look at only', async () => {
  const { asked, node, onSavePoints } = await shown();
  await until(() => node.querySelector('[data-point="1"]'));
  expect(new Set(asked)).toEqual(
    new Set(['shared-jobs/lhcb/k3jq7aaaaa/points'])
  );
  expect(node.textContent).toContain('2 points: 1 done · 1 failed');
  const row = node.querySelector<HTMLElement>('[data-point="1"]');
  expect(row?.textContent).toContain('0.5 s');
  await React.act(async () => row?.click());
  await until(() => node.textContent?.includes('Traceback'));
  const opened = node.querySelector('[aria-label="Point 1"]');
  expect(opened?.textContent).toContain('It fell over.');
  expect(opened?.textContent).toContain('Traceback');
  expect(asked).toContain('shared-jobs/lhcb/k3jq7aaaaa/points/1/log');
  expect(opened && buttons(opened)).toEqual(['Close']);
  expect(buttons(node).join()).not.toMatch(/Rerun|Cancel/);
  const csv = [...node.querySelectorAll('button')].find(
    one => one.textContent === 'Save as CSV'
  );
  await React.act(async () => csv?.click());
  expect(onSavePoints).toHaveBeenCalledTimes(1);
});
