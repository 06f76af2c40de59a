import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import type { Client } from '../../api/client';
import type { Point, PointPage, SweepCounts } from '../../api/types';
import { PointsModel } from '../pointsmodel';
import { csvName } from '../sweepacts';
import { SweepBar } from '../sweepbar';
import { around } from '../sweepplot';
import { SweepTable } from '../sweeptable';
import { cellText, plotSummary, plotted, pointSeconds } from '../sweepwords';
import { job } from './fixtures';

const COUNTS: SweepCounts = {
  points: 100,
  throttle: 8,
  queued: 59,
  starting: 0,
  running: 3,
  evicted: 0,
  succeeded: 37,
  failed: 1,
  cancelled: 0
};

function point(index: number, changes: Partial<Point> = {}): Point {
  return {
    index,
    state: 'succeeded',
    reason: null,
    cancelling: false,
    parameters: { lr: 0.1 ** (index % 3), name: index % 2 ? 'b' : 'a' },
    values: { loss: 10 - index },
    attempts: 1,
    host: null,
    started_at: '2026-11-21T08:00:00Z',
    ended_at: '2026-11-21T08:01:00Z',
    exit_code: 0,
    output: null,
    usage: { peak_memory: null, cpu_seconds: null },
    ...changes
  };
}

it('tells the states of all points as a bar and in words', () => {
  const html = renderToStaticMarkup(<SweepBar counts={COUNTS} />);
  expect(html).toContain(
    'aria-label="100 points: 37 done · 1 failed · 3 running · 59 queued"'
  );
  expect(html.match(/data-state=/g)).toHaveLength(4);
  expect(html).toContain('at most 8 at once');
});

describe('the plot', () => {
  const points = [3, 1, 2, 0].map(index => point(index));

  it('sorts by x and leaves out points without a number', () => {
    const none = point(9, { values: { loss: 'nan' } });
    const drawn = plotted([...points, none], 'parameter:lr', 'value:loss');
    expect(drawn.x).toEqual([...drawn.x].sort((a, b) => a - b));
    expect(drawn.points.map(one => one.index)).toEqual([2, 1, 0, 3]);
    expect(drawn.words).toBeNull();
    expect(plotSummary(drawn, 'parameter:lr', 'value:loss')).toBe(
      '4 points, loss against lr: lowest 7 at point 3, highest 10 at point 0.'
    );
  });

  it('gives words a place each', () => {
    const drawn = plotted(points, 'parameter:name', 'value:loss');
    expect(drawn.words).toEqual(['a', 'b']);
    expect(drawn.x).toEqual([0, 0, 1, 1]);
  });

  it('says when there is nothing to draw, and leaves room around points', () => {
    const drawn = plotted([], '#', 'value:loss');
    expect(plotSummary(drawn, '#', 'value:loss')).toContain('No point has');
    expect(around(0, 100)).toEqual([-6, 106]);
    expect(around(5, 5)).toEqual([4.5, 5.5]);
    expect(around(0, 0)).toEqual([-1, 1]);
  });
});

it('writes values short and exact enough, and run times in words', () => {
  expect(cellText(0.1 + 0.2)).toBe('0.3');
  expect(cellText(undefined)).toBe('');
  expect(cellText('a')).toBe('a');
  expect(cellText([1, 2])).toBe('[1,2]');
  expect(pointSeconds(point(0))).toBe(60);
  expect(pointSeconds(point(0, { started_at: null }))).toBeNull();
  expect(csvName(job({ source: 'work/train.ipynb' }))).toBe(
    'train-aaaaaaaaaa-points.csv'
  );
});

describe('PointsModel', () => {
  let asked: object[];
  let answers: PointPage[];
  let model: PointsModel;
  const page = (points: Point[], next: string | null = null): PointPage => ({
    points,
    next,
    matching: 300,
    columns: { parameters: ['lr', 'name'], values: ['loss'] },
    counts: COUNTS
  });

  beforeEach(() => {
    asked = [];
    answers = [];
    const client = {
      points: async (_: string, query: object) => {
        asked.push(query);
        const answer = answers.shift();
        if (!answer) {
          throw new Error('The server is silent.');
        }
        return answer;
      }
    } as unknown as Client;
    model = new PointsModel('aaaaaaaaaa', client);
  });

  afterEach(() => model.dispose());

  it('lets the server sort, the other way round at the second click', async () => {
    answers.push(page([point(1)]), page([point(2)]));
    model.sortBy('loss');
    model.sortBy('loss');
    await new Promise(resolve => setTimeout(resolve, 0));
    expect(asked).toMatchObject([
      { sort: 'loss', order: 'asc' },
      { sort: 'loss', order: 'desc' }
    ]);
    expect(model.points?.map(one => one.index)).toEqual([2]);
  });

  it('reads on, and reads as much again', async () => {
    const first = Array.from({ length: 200 }, (_, index) => point(index));
    answers.push(page(first, 'p200'));
    await model.refresh();
    answers.push(page([point(200)]));
    await model.loadMore();
    expect(asked[1]).toMatchObject({ cursor: 'p200' });
    expect(model.points).toHaveLength(201);
    await model.loadMore();
    expect(asked).toHaveLength(2);
    answers.push(page([...first, point(200)]));
    await model.refresh();
    expect(asked[2]).toMatchObject({ limit: 201, cursor: null });
  });

  it('keeps what it has when the server is silent, and says so', async () => {
    answers.push(page([point(0, { state: 'failed' })]));
    await model.refresh();
    await model.refresh();
    const html = renderToStaticMarkup(
      <SweepTable model={model} saveCsv={() => undefined} />
    );
    expect(html).toContain('The server is silent. What you see may be old.');
    expect(html).toContain('data-point="0"');
    expect(html).toContain('aria-rowcount="301"');
    expect(html).toMatch(/aria-sort="ascending"><button[^>]*>#/);
  });

  it('opens a point of the table or of the plot', async () => {
    answers.push(page([point(4)]));
    await model.refresh();
    model.open(4);
    expect(model.opened?.index).toBe(4);
    model.open(5);
    expect(model.opened).toBeNull();
  });
});
