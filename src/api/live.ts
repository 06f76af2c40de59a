import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { DisposableDelegate } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type {
  ClientMessage,
  Frames,
  SaveRequest,
  ServerMessage
} from './types';

/** What one can listen to. */
export type Topic = keyof Frames;

/** How the one connection stands. */
export type LiveStatus =
  'idle' | 'connecting' | 'live' | 'reconnecting' | 'paused';

/** What the page did about a request to save; `null` when the notebook is not open here. */
export interface ISaved {
  path: string;
  ok: boolean;
  error?: string;
}

type Listener = (frame: Frames[Topic]) => void;

export const CLOSED_FOR_IDLENESS = 4001;

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;
const LONGEST_DELAY_UNSEEN = 600_000;
const ACTIVE_EVERY = 60_000;
const CLOCK_EVERY = 15_000;
const SLEPT_AFTER = 45_000;

/**
 * The one WebSocket of a page.
 *
 * Topics are asked for only while somebody listens and the page is visible. After a drop it
 * comes back with a growing delay; every topic then starts with a full frame. When the server
 * closes it because nobody used the page, it stays closed until the next click or key.
 */
export class LiveSocket implements IDisposable {
  constructor(private readonly _settings: ServerConnection.ISettings) {
    window.addEventListener('pointerdown', this._onInput, true);
    window.addEventListener('keydown', this._onInput, true);
    window.addEventListener('online', this._retryNow);
    document.addEventListener('visibilitychange', this._onVisibility);
    this._clock = window.setInterval(this._onClock, CLOCK_EVERY);
  }

  /** Answers the server's requests to save an open notebook. */
  saveHandler: ((request: SaveRequest) => Promise<ISaved | null>) | null = null;

  get status(): LiveStatus {
    return this._status;
  }

  /** Why the connection is paused, in the server's words. */
  get pausedReason(): string {
    return this._pausedReason;
  }

  get statusChanged(): ISignal<this, LiveStatus> {
    return this._statusChanged;
  }

  /** Why a topic cannot be read for now, in the server's words; empty when it can. */
  trouble(topic: Topic): string {
    return this._troubles.get(topic) ?? '';
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Open the connection if it is not; it is safe to call at any time. */
  connect(): void {
    if (this._socket || this._disposed) {
      return;
    }
    window.clearTimeout(this._retry);
    this._setStatus(this._everOpen ? 'reconnecting' : 'connecting');
    const socket = new this._settings.WebSocket(liveUrl(this._settings));
    this._socket = socket;
    socket.onopen = () => this._onOpen(socket);
    socket.onmessage = event => this._onMessage(socket, String(event.data));
    socket.onclose = event => this._onClose(socket, event.code);
    socket.onerror = () => undefined;
  }

  /** Listen to a topic until the result is disposed. */
  subscribe<T extends Topic>(
    topic: T,
    onFrame: (frame: Frames[T]) => void
  ): IDisposable {
    const listener = onFrame as Listener;
    const listeners = this._listeners.get(topic) ?? new Set<Listener>();
    this._listeners.set(topic, listeners);
    listeners.add(listener);
    this.connect();
    if (this._sent.has(topic)) {
      this._resync(topic);
    } else {
      this._reconcile();
    }
    return new DisposableDelegate(() => {
      listeners.delete(listener);
      this._reconcile();
    });
  }

  /** Come back after a pause. */
  resume(): void {
    if (this._status === 'paused') {
      this._attempts = 0;
      this._setStatus('idle');
      this.connect();
    }
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    window.removeEventListener('pointerdown', this._onInput, true);
    window.removeEventListener('keydown', this._onInput, true);
    window.removeEventListener('online', this._retryNow);
    document.removeEventListener('visibilitychange', this._onVisibility);
    window.clearInterval(this._clock);
    window.clearTimeout(this._retry);
    this._drop();
    this._listeners.clear();
    Signal.clearData(this);
  }

  private _onOpen(socket: WebSocket): void {
    if (socket !== this._socket) {
      return;
    }
    this._attempts = 0;
    this._everOpen = true;
    this._sent.clear();
    this._sequence.clear();
    this._lastActive = Date.now();
    this._setStatus('live');
    this._reconcile();
  }

  private _onMessage(socket: WebSocket, text: string): void {
    if (socket !== this._socket) {
      return;
    }
    const message = JSON.parse(text) as ServerMessage;
    if (message.type === 'save') {
      void this._answerSave(message);
    } else if (message.type === 'paused') {
      this._pausedReason = message.reason;
    } else if (message.type === 'trouble') {
      this._setTrouble(message.topic, message.text);
    } else {
      this._deliver(message);
    }
  }

  private _deliver(frame: Frames[Topic]): void {
    const last = this._sequence.get(frame.topic);
    if (frame.type === 'delta' && frame.seq !== (last ?? NaN) + 1) {
      this._resync(frame.topic);
      return;
    }
    this._sequence.set(frame.topic, frame.seq);
    this._setTrouble(frame.topic, '');
    for (const listener of [...(this._listeners.get(frame.topic) ?? [])]) {
      listener(frame);
    }
  }

  private async _answerSave(request: SaveRequest): Promise<void> {
    const socket = this._socket;
    let saved: ISaved | null;
    try {
      saved = (await this.saveHandler?.(request)) ?? null;
    } catch (error) {
      saved = { path: request.path ?? '', ok: false, error: String(error) };
    }
    if (socket === this._socket) {
      this._send({
        type: 'saved',
        request: request.request,
        ok: saved?.ok ?? false,
        path: saved?.path ?? null,
        error: saved ? (saved.error ?? null) : 'not-open'
      });
    }
  }

  private _onClose(socket: WebSocket, code: number): void {
    if (socket !== this._socket) {
      return;
    }
    this._socket = null;
    this._sent.clear();
    if (code === CLOSED_FOR_IDLENESS) {
      this._setStatus('paused');
      return;
    }
    this._setStatus(this._everOpen ? 'reconnecting' : 'connecting');
    // Where it never opened there is probably no server part: ask seldom.
    const longest = this._everOpen ? LONGEST_DELAY : LONGEST_DELAY_UNSEEN;
    const delay = Math.min(FIRST_DELAY * 2 ** this._attempts, longest);
    this._attempts += 1;
    const jitter = delay * (0.75 + Math.random() / 2);
    this._retry = window.setTimeout(() => this.connect(), jitter);
  }

  /** Ask for what is listened to now, and for nothing while the page is hidden. */
  private _reconcile(): void {
    if (this._status !== 'live') {
      return;
    }
    for (const [topic, listeners] of this._listeners) {
      const wanted = listeners.size > 0 && !document.hidden;
      if (wanted && !this._sent.has(topic)) {
        this._sent.add(topic);
        this._send({ type: 'subscribe', topic });
      } else if (!wanted && this._sent.has(topic)) {
        this._sent.delete(topic);
        this._sequence.delete(topic);
        this._send({ type: 'unsubscribe', topic });
      }
    }
  }

  private _resync(topic: Topic): void {
    this._sequence.delete(topic);
    this._send({ type: 'subscribe', topic });
  }

  private _send(message: ClientMessage): void {
    if (this._socket?.readyState === 1) {
      this._socket.send(JSON.stringify(message));
    }
  }

  private _drop(): void {
    const socket = this._socket;
    this._socket = null;
    this._sent.clear();
    socket?.close();
  }

  private _setTrouble(topic: Topic | null, text: string): void {
    if (topic && text !== this.trouble(topic)) {
      this._troubles.set(topic, text);
      this._statusChanged.emit(this._status);
    }
  }

  private _setStatus(status: LiveStatus): void {
    if (status !== this._status) {
      this._status = status;
      this._statusChanged.emit(status);
    }
  }

  private readonly _onInput = (): void => {
    if (this._status === 'paused') {
      this.resume();
      return;
    }
    const now = Date.now();
    if (now - this._lastActive >= ACTIVE_EVERY) {
      this._lastActive = now;
      this._send({ type: 'active' });
    }
  };

  private readonly _onVisibility = (): void => {
    if (!document.hidden) {
      this._retryNow();
    }
    this._reconcile();
  };

  private readonly _retryNow = (): void => {
    const waits = ['connecting', 'reconnecting'].includes(this._status);
    if (waits && !this._socket) {
      this._attempts = 0;
      this.connect();
    }
  };

  /** After a sleep of the machine the old connection may be dead without saying so. */
  private readonly _onClock = (): void => {
    const now = Date.now();
    const slept = now - this._lastClock > SLEPT_AFTER && !document.hidden;
    this._lastClock = now;
    if (slept && this._status === 'live') {
      this._drop();
      this._setStatus('reconnecting');
      this.connect();
    }
  };

  private readonly _clock: number;
  private readonly _listeners = new Map<Topic, Set<Listener>>();
  private readonly _sent = new Set<Topic>();
  private readonly _sequence = new Map<Topic, number>();
  private readonly _statusChanged = new Signal<this, LiveStatus>(this);
  private readonly _troubles = new Map<Topic, string>();
  private _attempts = 0;
  private _disposed = false;
  private _everOpen = false;
  private _lastActive = Date.now();
  private _lastClock = Date.now();
  private _pausedReason = '';
  private _retry = 0;
  private _socket: WebSocket | null = null;
  private _status: LiveStatus = 'idle';
}

function liveUrl(settings: ServerConnection.ISettings): string {
  const url = URLExt.join(settings.wsUrl, 'mlinfn/live');
  const token = settings.appendToken ? settings.token : '';
  return token ? `${url}?token=${encodeURIComponent(token)}` : url;
}
