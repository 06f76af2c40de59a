import { Signal } from '@lumino/signaling';
import { DisposableDelegate } from '@lumino/disposable';

import type { Client } from '../../api/client';
import type { LiveSocket } from '../../api/live';
import type { GpuSnapshot } from '../../api/types';
import { GpusModel, POINTS } from '../model';
import { accelerator, snapshot } from './fixtures';

describe('GpusModel', () => {
  let answer: () => Promise<GpuSnapshot>;
  let send: (frame: object) => void;
  let listening: number;

  function make(): GpusModel {
    const client = {
      gpus: () => answer(),
      gpuHistory: async () => ({ percent: [1, 2] })
    } as unknown as Client;
    const live = {
      subscribe: (_: string, listener: (frame: object) => void) => {
        listening += 1;
        send = listener;
        return new DisposableDelegate(() => {
          listening -= 1;
        });
      }
    } as unknown as LiveSocket;
    Object.assign(live, { statusChanged: new Signal(live) });
    return new GpusModel(client, live);
  }

  const settle = () => new Promise(resolve => setTimeout(resolve, 0));

  beforeEach(() => {
    listening = 0;
    answer = async () => snapshot(accelerator());
  });

  it('listens once for all who watch, and stops with the last', () => {
    const model = make();
    const first = model.watch();
    const second = model.watch();
    expect(listening).toBe(1);
    first.dispose();
    expect(listening).toBe(1);
    second.dispose();
    expect(listening).toBe(0);
  });

  it('remembers the last minute, beginning with what the server knows', async () => {
    const model = make();
    model.watch();
    await settle();
    expect(model.recent('GPU-1')).toEqual([1, 2, 80]);
    for (let tick = 0; tick < 2 * POINTS; tick += 1) {
      send({ type: 'delta', data: { t: tick, a: { u: { 0: tick } } } });
    }
    expect(model.recent('GPU-1')).toHaveLength(POINTS);
    expect(model.recent('GPU-1')[POINTS - 1]).toBe(2 * POINTS - 1);
  });

  it('does not draw the last value of a card that fell silent', async () => {
    const model = make();
    model.watch();
    await settle();
    send({ type: 'delta', data: { t: 1, a: { x: { 0: ['silent', '', 0] } } } });
    expect(model.recent('GPU-1').slice(-1)).toEqual([null]);
  });

  it('keeps no sampler going for the status bar where there is no GPU', async () => {
    answer = async () => snapshot();
    const model = make();
    model.watchIfThere();
    await settle();
    expect(listening).toBe(0);
  });

  it('follows for the status bar where there is one', async () => {
    const model = make();
    const watching = model.watchIfThere();
    await settle();
    expect(listening).toBe(1);
    watching.dispose();
    expect(listening).toBe(0);
  });

  it('says what is wrong until a frame comes', async () => {
    answer = async () => {
      throw new Error('no');
    };
    const model = make();
    model.watch();
    await settle();
    expect(model.error?.message).toBe('no');
    send({ type: 'full', data: snapshot(accelerator()) });
    expect(model.error).toBeNull();
  });
});
