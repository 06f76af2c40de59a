import { VDomModel } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type { Client } from '../api/client';
import type { LiveSocket } from '../api/live';
import type { SessionView } from '../api/types';

/** What the hub says of this session, as long as the page is open and looked at. */
export class SessionModel extends VDomModel {
  constructor(
    private readonly _client: Pick<Client, 'keepSession'>,
    private readonly _live: Pick<LiveSocket, 'subscribe'>
  ) {
    super();
  }

  /** `null` until the first answer. */
  get view(): SessionView | null {
    return this._view;
  }

  /** Why nothing was kept, in the hub's words; empty otherwise. */
  get error(): string {
    return this._error;
  }

  get keeping(): boolean {
    return this._keeping;
  }

  /** Until when nothing is released, each time that it was kept. */
  get kept(): ISignal<this, Date> {
    return this._kept;
  }

  /** Listen. Where there is no session on a hub there is nothing to listen to. */
  listen(): void {
    this._subscription ??= this._live.subscribe('session', frame =>
      this._show(frame.data)
    );
  }

  /** Keep the accelerators a while longer. */
  async keep(): Promise<void> {
    if (this._keeping) {
      return;
    }
    this._keeping = true;
    this._error = '';
    this.stateChanged.emit();
    try {
      this._view = await this._client.keepSession();
      const session = this._view.session;
      if (session && !session.warning) {
        const asked = Date.parse(session.asked_at);
        this._kept.emit(new Date(asked + session.keep_seconds * 1000));
      }
    } catch (error) {
      this._error = (error as Error).message;
    } finally {
      this._keeping = false;
      this.stateChanged.emit();
    }
  }

  dispose(): void {
    Signal.clearData(this);
    this._subscription?.dispose();
    super.dispose();
  }

  private _show(view: SessionView): void {
    if (!view.session?.warning) {
      this._error = '';
    }
    this._view = view;
    if (!view.session && !view.trouble) {
      this._subscription?.dispose();
      this._subscription = null;
    }
    this.stateChanged.emit();
  }

  private _error = '';
  private readonly _kept = new Signal<this, Date>(this);
  private _keeping = false;
  private _subscription: IDisposable | null = null;
  private _view: SessionView | null = null;
}
