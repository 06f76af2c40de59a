/**
 * Apply the short live frames of the GPUs; the keys are those of `gpus/deltas.py`. Pure.
 */
import type {
  Accelerator,
  GpuChanges,
  GpuSnapshot,
  Holder
} from '../api/types';

const MIB = 2 ** 20;
const KILOJOULE = 1000;

/** New values of one accelerator under their short keys. */
interface IShort {
  u?: number | null;
  s?: [Accelerator['signal']['state'], string | null, number | null];
  m?: number;
  p?: number | null;
  e?: number | null;
  c?: number | null;
  x?: [Accelerator['state'], string | null, number | null];
  h?: (Partial<Holder> & Pick<Holder, 'kind' | 'title'>)[];
  k?: Record<string, number | null>;
}

/** The snapshot after a delta. */
export function applyChanges(
  snapshot: GpuSnapshot,
  changes: GpuChanges
): GpuSnapshot {
  const takenAt = moment(changes.t);
  const byPlace = new Map<number, Record<string, unknown>>();
  for (const [field, values] of Object.entries(changes.a)) {
    for (const [place, value] of Object.entries(values)) {
      const found = byPlace.get(Number(place)) ?? {};
      byPlace.set(Number(place), { ...found, [field]: value });
    }
  }
  return {
    ...snapshot,
    taken_at: takenAt,
    accelerators: snapshot.accelerators.map((one, place) =>
      applyOne(one, (byPlace.get(place) ?? {}) as IShort, takenAt)
    )
  };
}

function applyOne(
  one: Accelerator,
  short: IShort,
  takenAt: string | null
): Accelerator {
  const [state, problem, stopped] = short.x ?? [one.state, one.problem, null];
  const stoppedAt = short.x ? moment(stopped) : one.taken_at;
  return {
    ...one,
    state,
    problem,
    taken_at: state === 'ok' ? takenAt : stoppedAt,
    memory:
      short.m !== undefined && one.memory
        ? { ...one.memory, used: short.m * MIB }
        : one.memory,
    power: short.p === undefined ? one.power : short.p,
    temperature: short.c === undefined ? one.temperature : short.c,
    energy: short.e === undefined ? one.energy : kilojoules(short.e),
    signal: applySignal(one.signal, short),
    holders: applyHolders(one.holders, short)
  };
}

function applySignal(
  signal: Accelerator['signal'],
  short: IShort
): Accelerator['signal'] {
  const percent = short.u === undefined ? signal.percent : short.u;
  if (!short.s) {
    return { ...signal, percent };
  }
  const [state, measurement, since] = short.s;
  return { state, measurement, percent, since: moment(since) };
}

function applyHolders(holders: readonly Holder[], short: IShort): Holder[] {
  if (short.h) {
    return short.h.map(holder => ({ ...NOBODY, ...holder }));
  }
  return holders.map((holder, at) => {
    const memory = short.k?.[String(at)];
    return memory === undefined
      ? holder
      : { ...holder, memory: memory === null ? null : memory * MIB };
  });
}

const NOBODY: Holder = {
  kind: 'outside',
  title: '',
  pid: null,
  memory: null,
  kernel_id: null,
  job_id: null,
  user: null,
  mine: false
};

function kilojoules(value: number | null): number | null {
  return value === null ? null : value * KILOJOULE;
}

function moment(epoch: number | null): string | null {
  return epoch === null ? null : new Date(epoch * 1000).toISOString();
}
