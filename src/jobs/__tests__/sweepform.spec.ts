import type { Problem, Sweep } from '../../api/types';
import { initialFields, readFields } from '../fields';
import { freeNames, isSweep, readSweep, sweepFields } from '../sweepfields';
import { countText } from '../sweepform';
import { form } from './fixtures';

const EMPTY = sweepFields(null);

function read(changes: object): { sweep: Sweep | null; problems: Problem[] } {
  const problems: Problem[] = [];
  return { sweep: readSweep({ ...EMPTY, ...changes }, problems), problems };
}

it('is no sweep until something is typed', () => {
  expect(isSweep(EMPTY)).toBe(false);
  expect(read({ throttle: '3' }).sweep).toBeNull();
  expect(read({ axes: [{ name: '', text: '' }] }).sweep).toBeNull();
});

it('passes on what was typed, for the server to spell out', () => {
  const { sweep, problems } = read({
    axes: [
      { name: ' lr ', text: '0.1, 0.01' },
      { name: 'seed', text: '0..99' }
    ],
    file: ' points.csv ',
    throttle: '8'
  });
  expect(problems).toEqual([]);
  expect(sweep).toEqual({
    axes: {},
    raw_axes: { lr: '0.1, 0.01', seed: '0..99' },
    rows: [],
    file: 'points.csv',
    throttle: 8
  });
});

it.each([
  [{ axes: [{ name: 'l r', text: '1' }] }, 'sweep.axes', 'no name'],
  [{ axes: [{ name: '', text: '1' }] }, 'sweep.axes', 'no name'],
  [
    {
      axes: [
        { name: 'lr', text: '1' },
        { name: 'lr', text: '2' }
      ]
    },
    'sweep.axes',
    'twice'
  ],
  [{ file: 'x.csv', throttle: '0' }, 'sweep.throttle', 'whole number'],
  [{ file: 'x.csv', throttle: '1.5' }, 'sweep.throttle', 'whole number']
])('says what is wrong and where: %j', (changes, field, words) => {
  const { problems } = read(changes);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatchObject({ code: 'bad-sweep', field });
  expect(problems[0].text).toContain(words);
});

it('fills the form with a recorded sweep, so that it means the same again', () => {
  const fields = sweepFields({
    axes: { lr: [0.1, 1], name: ['a,b', '', 'c'], on: [true] },
    raw_axes: { seed: '0..9' },
    rows: [],
    file: null,
    throttle: 4
  });
  expect(fields.axes).toEqual([
    { name: 'lr', text: '0.1, 1' },
    { name: 'name', text: '"a,b", "", c' },
    { name: 'on', text: 'True' },
    { name: 'seed', text: '0..9' }
  ]);
  expect(fields.throttle).toBe('4');
});

it('takes a swept parameter out of the single values', () => {
  const shown = form();
  const fields = initialFields(shown);
  expect(freeNames(shown, fields.sweep)).toEqual(['lr', 'on', 'seeds']);
  const { request } = readFields(shown, {
    ...fields,
    values: { ...fields.values, lr: '5', on: 'False' },
    sweep: { ...EMPTY, axes: [{ name: 'lr', text: '1, 2' }] }
  });
  expect(request.raw_parameters).toEqual({ on: 'False' });
  expect(request.sweep?.raw_axes).toEqual({ lr: '1, 2' });
  expect(readFields(shown, fields).request.sweep).toBeNull();
});

it('counts the points with the unit, and shows the first', () => {
  const first = [{ lr: 0.1 }, { lr: 1 }];
  const sweep = { points: 1200, varied: ['lr'], first };
  expect(countText({ sweep })).toBe('1,200 points: lr=0.1; lr=1; …');
  expect(countText({ sweep: { ...sweep, points: 2 } })).toBe(
    '2 points: lr=0.1; lr=1'
  );
  expect(countText(null)).toContain('0..99');
});
