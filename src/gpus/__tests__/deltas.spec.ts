import { applyChanges } from '../deltas';
import { accelerator, holder, snapshot } from './fixtures';

const T = Date.parse('2026-11-21T09:00:00.000Z') / 1000;
const AT = '2026-11-21T09:00:00.000Z';

describe('applyChanges', () => {
  it('changes only what the frame names, in its units', () => {
    const before = snapshot(
      accelerator({ holders: [holder()] }),
      accelerator({ uuid: 'GPU-2', index: 1 })
    );
    const { accelerators, taken_at: takenAt } = applyChanges(before, {
      t: T,
      a: {
        u: { 1: 25 },
        m: { 1: 512 },
        p: { 1: null },
        e: { 1: 3 },
        c: { 1: 60 },
        k: { 0: { 0: 5 } }
      }
    });
    expect(takenAt).toBe(AT);
    expect(accelerators[1]).toEqual(
      accelerator({
        uuid: 'GPU-2',
        index: 1,
        signal: {
          state: 'busy',
          measurement: 'utilisation',
          percent: 25,
          since: null
        },
        memory: { total: 16 * 2 ** 30, used: 2 ** 29 },
        power: null,
        energy: 3000,
        temperature: 60,
        taken_at: AT
      })
    );
    expect(accelerators[0].holders).toEqual([holder({ memory: 5 * 2 ** 20 })]);
    expect(accelerators[0].signal.percent).toBe(80);
  });

  it('fills a new holder with what it does not say', () => {
    const { accelerators } = applyChanges(snapshot(accelerator()), {
      t: T,
      a: { h: { 0: [{ kind: 'outside', title: 'elsewhere' }] } }
    });
    expect(accelerators[0].holders).toEqual([
      {
        kind: 'outside',
        title: 'elsewhere',
        pid: null,
        memory: null,
        kernel_id: null,
        job_id: null,
        user: null,
        mine: false
      }
    ]);
  });

  it('keeps the time of a card that fell silent', () => {
    const silent = applyChanges(snapshot(accelerator()), {
      t: T,
      a: { x: { 0: ['silent', 'It does not answer.', T - 60] } }
    });
    const later = applyChanges(silent, { t: T + 1, a: {} });
    expect(later.accelerators[0]).toMatchObject({
      state: 'silent',
      problem: 'It does not answer.',
      taken_at: '2026-11-21T08:59:00.000Z'
    });
  });

  it('changes the state of the signal with its measurement', () => {
    const { accelerators } = applyChanges(snapshot(accelerator()), {
      t: T,
      a: { u: { 0: null }, s: { 0: ['unknown', null, null] } }
    });
    expect(accelerators[0].signal).toEqual({
      state: 'unknown',
      measurement: null,
      percent: null,
      since: null
    });
  });
});
