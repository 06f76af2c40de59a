import {
  cards,
  holderText,
  idleOfMine,
  isFree,
  signalWord,
  statusText
} from '../words';
import { accelerator, holder, NOW, snapshot } from './fixtures';

const idle = {
  state: 'idle' as const,
  measurement: 'utilisation',
  percent: 0,
  since: '2026-11-21T08:20:00Z'
};
const unknown = {
  state: 'unknown' as const,
  measurement: null,
  percent: null,
  since: null
};
const slice = (uuid: string, changes = {}) =>
  accelerator({
    uuid,
    parent: 'GPU-1',
    mig: { profile: '1g.10gb', gpu_instance: 1, compute_instance: 0 },
    ...changes
  });

describe('cards', () => {
  it('puts slices under their GPU and counts the free ones', () => {
    const [card] = cards(
      snapshot(
        accelerator({ cut: true }),
        slice('MIG-1', { holders: [holder()] }),
        slice('MIG-2', { signal: idle }),
        slice('MIG-3', { signal: idle }),
        slice('MIG-4', { signal: unknown })
      )
    );
    expect(card.slices).toBe(4);
    expect(card.shown.map(one => one.uuid)).toEqual(['MIG-1', 'MIG-4']);
    expect(card.free).toEqual([{ profile: '1g.10gb', number: 2 }]);
  });

  it('shows slices whose GPU is hidden from us', () => {
    const found = cards(snapshot(slice('MIG-1', { parent: 'GPU-hidden' })));
    expect(found).toHaveLength(1);
    expect(found[0].gpu).toBeNull();
  });
});

describe('signalWord', () => {
  it.each([
    [{}, '80 %'],
    [{ signal: unknown }, 'unknown'],
    [{ signal: idle }, 'free'],
    [{ signal: idle, holders: [holder()] }, 'idle 40 min'],
    [{ state: 'lost' as const }, 'lost']
  ])('%j', (changes, word) => {
    expect(signalWord(accelerator(changes), NOW)).toBe(word);
  });

  it('never takes unknown for free', () => {
    expect(isFree(accelerator({ signal: unknown }))).toBe(false);
  });
});

describe('idleOfMine', () => {
  it('says what I hold for nothing, and by which kernels', () => {
    const mine = accelerator({ signal: idle, holders: [holder()] });
    expect(idleOfMine(snapshot(mine), NOW)).toEqual({
      text: 'You hold 1 GPU, idle 40 min',
      holders: [holder()]
    });
  });

  it.each([
    ['another person’s', { holders: [holder({ mine: false })] }],
    ['busy', { holders: [holder()], signal: accelerator().signal }],
    ['unknown', { holders: [holder()], signal: unknown }],
    ['a job’s', { holders: [holder({ kind: 'job', kernel_id: null })] }]
  ])('says nothing of what is %s', (_, changes) => {
    const one = accelerator({ signal: idle, ...changes });
    expect(idleOfMine(snapshot(one), NOW)).toBeNull();
  });
});

it('says in the status bar what I hold, else what is free', () => {
  expect(statusText(null)).toBe('');
  expect(statusText(snapshot())).toBe('');
  expect(statusText(snapshot(accelerator({ signal: idle })))).toBe(
    'GPU 1 free'
  );
  expect(statusText(snapshot(accelerator({ holders: [holder()] })))).toBe(
    'GPU 1 held · 80 %'
  );
});

it('names a holder as people know it', () => {
  expect(holderText(holder())).toBe('old.ipynb (you)');
  expect(holderText(holder({ mine: false }))).toBe('old.ipynb (anna)');
  expect(holderText(holder({ kind: 'outside', title: '' }))).toBe(
    'outside this container'
  );
});
