import { ServerConnection } from '@jupyterlab/services';

import { LiveSocket } from '../live';

class FakeSocket {
  static made: FakeSocket[] = [];
  constructor(readonly url: string) {
    FakeSocket.made.push(this);
  }
  readyState = 0;
  sent: Record<string, unknown>[] = [];
  onopen: () => void = () => undefined;
  onmessage: (event: { data: string }) => void = () => undefined;
  onclose: (event: { code: number }) => void = () => undefined;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.readyState = 3;
  }

  open(): void {
    this.readyState = 1;
    this.onopen();
  }

  say(message: object): void {
    this.onmessage({ data: JSON.stringify(message) });
  }

  end(code: number): void {
    this.readyState = 3;
    this.onclose({ code });
  }
}

function newest(): FakeSocket {
  return FakeSocket.made[FakeSocket.made.length - 1];
}

function hide(hidden: boolean): void {
  Object.defineProperty(document, 'hidden', {
    value: hidden,
    configurable: true
  });
  document.dispatchEvent(new Event('visibilitychange'));
}

describe('LiveSocket', () => {
  let live: LiveSocket;

  beforeEach(() => {
    jest.useFakeTimers();
    FakeSocket.made = [];
    live = new LiveSocket(
      ServerConnection.makeSettings({
        baseUrl: 'http://server/base/',
        token: 'a b',
        appendToken: true,
        WebSocket: FakeSocket as unknown as typeof WebSocket
      })
    );
  });

  afterEach(() => {
    live.dispose();
    hide(false);
    jest.useRealTimers();
  });

  it('opens one connection however many listen', () => {
    live.subscribe('jobs', () => undefined);
    live.subscribe('gpus', () => undefined);
    live.connect();
    expect(FakeSocket.made).toHaveLength(1);
    expect(newest().url).toBe('ws://server/base/mlinfn/live?token=a%20b');
    newest().open();
    expect(newest().sent).toEqual([
      { type: 'subscribe', topic: 'jobs' },
      { type: 'subscribe', topic: 'gpus' }
    ]);
    expect(live.status).toBe('live');
  });

  it('asks for a topic no longer when nobody listens', () => {
    const listening = live.subscribe('jobs', () => undefined);
    newest().open();
    listening.dispose();
    expect(newest().sent[1]).toEqual({ type: 'unsubscribe', topic: 'jobs' });
  });

  it('asks for nothing while the page is hidden', () => {
    live.subscribe('jobs', () => undefined);
    newest().open();
    hide(true);
    expect(newest().sent[1]).toEqual({ type: 'unsubscribe', topic: 'jobs' });
    hide(false);
    expect(newest().sent[2]).toEqual({ type: 'subscribe', topic: 'jobs' });
  });

  it('hands on full and following frames, and asks again after a gap', () => {
    const seen: unknown[] = [];
    live.subscribe('jobs', frame => seen.push([frame.type, frame.seq]));
    newest().open();
    const frame = (type: string, seq: number) =>
      newest().say({ type, topic: 'jobs', seq, data: {} });
    frame('full', 7);
    frame('delta', 8);
    frame('delta', 10);
    expect(seen).toEqual([
      ['full', 7],
      ['delta', 8]
    ]);
    expect(newest().sent.slice(1)).toEqual([
      { type: 'subscribe', topic: 'jobs' }
    ]);
    frame('delta', 11);
    expect(seen).toHaveLength(2);
    frame('full', 12);
    frame('delta', 13);
    expect(seen).toHaveLength(4);
  });

  it('gives one who comes later a full frame too', () => {
    live.subscribe('jobs', () => undefined);
    newest().open();
    live.subscribe('jobs', () => undefined);
    expect(newest().sent).toHaveLength(2);
    expect(newest().sent[1]).toEqual({ type: 'subscribe', topic: 'jobs' });
  });

  it('comes back after a drop with growing delays, then starts from the beginning', () => {
    const tries: number[] = [];
    live.subscribe('jobs', () => undefined);
    newest().open();
    for (let round = 0; round < 4; round += 1) {
      const before = FakeSocket.made.length;
      newest().end(1006);
      expect(live.status).toBe('reconnecting');
      let waited = 0;
      while (FakeSocket.made.length === before && waited < 100) {
        jest.advanceTimersByTime(250);
        waited += 0.25;
      }
      tries.push(waited);
    }
    expect(tries[0]).toBeLessThan(2);
    expect(tries[3]).toBeGreaterThan(5);
    newest().open();
    expect(newest().sent).toEqual([{ type: 'subscribe', topic: 'jobs' }]);
  });

  it('never waits longer than three quarters of a minute', () => {
    live.connect();
    newest().open();
    for (let round = 0; round < 12; round += 1) {
      newest().end(1006);
      jest.advanceTimersByTime(45_000);
    }
    expect(FakeSocket.made).toHaveLength(13);
  });

  it('asks seldom, and is calm, where it never opened', () => {
    live.connect();
    newest().end(1006);
    expect(live.status).toBe('connecting');
    for (let round = 0; round < 60; round += 1) {
      jest.advanceTimersByTime(60_000);
      newest().end(1006);
    }
    expect(FakeSocket.made.length).toBeLessThan(20);
  });

  it('stays closed after the idle time until somebody clicks', () => {
    live.subscribe('jobs', () => undefined);
    newest().open();
    newest().say({ type: 'paused', reason: 'Nobody used it for 30 minutes.' });
    newest().end(4001);
    expect(live.status).toBe('paused');
    expect(live.pausedReason).toBe('Nobody used it for 30 minutes.');
    jest.advanceTimersByTime(3_600_000);
    expect(FakeSocket.made).toHaveLength(1);
    window.dispatchEvent(new Event('pointerdown'));
    expect(FakeSocket.made).toHaveLength(2);
    newest().open();
    expect(newest().sent).toEqual([{ type: 'subscribe', topic: 'jobs' }]);
  });

  it('says that the page is used at most once a minute', () => {
    live.connect();
    newest().open();
    window.dispatchEvent(new Event('keydown'));
    expect(newest().sent).toEqual([]);
    jest.advanceTimersByTime(61_000);
    window.dispatchEvent(new Event('keydown'));
    window.dispatchEvent(new Event('keydown'));
    expect(newest().sent).toEqual([{ type: 'active' }]);
  });

  it('answers a request to save with what was saved', async () => {
    live.saveHandler = async request => ({
      path: `now/${request.path}`,
      ok: true
    });
    live.connect();
    newest().open();
    newest().say({ type: 'save', request: 'r1', kernel_id: null, path: 'a' });
    await jest.advanceTimersByTimeAsync(0);
    expect(newest().sent).toEqual([
      { type: 'saved', request: 'r1', ok: true, path: 'now/a', error: null }
    ]);
  });

  it('says that a notebook is not open here', async () => {
    live.saveHandler = async () => null;
    live.connect();
    newest().open();
    newest().say({ type: 'save', request: 'r1', kernel_id: 'k', path: null });
    await jest.advanceTimersByTimeAsync(0);
    expect(newest().sent[0]).toMatchObject({ ok: false, error: 'not-open' });
  });

  it('says what went wrong with a save', async () => {
    live.saveHandler = async () => {
      throw new Error('The disk is full');
    };
    live.connect();
    newest().open();
    newest().say({ type: 'save', request: 'r1', kernel_id: null, path: 'a' });
    await jest.advanceTimersByTimeAsync(0);
    expect(newest().sent[0]).toMatchObject({
      ok: false,
      error: 'Error: The disk is full'
    });
  });

  it('does not trust a connection that was open before a sleep', () => {
    live.subscribe('jobs', () => undefined);
    newest().open();
    jest.setSystemTime(Date.now() + 3_600_000);
    jest.advanceTimersByTime(15_000);
    expect(FakeSocket.made).toHaveLength(2);
    expect(live.status).toBe('reconnecting');
  });
});
