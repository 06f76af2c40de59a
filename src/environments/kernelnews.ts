import type { IDisposable } from '@lumino/disposable';

const CHANNEL = 'mlinfn:kernels';

/** Tells every tab of this browser that the server's kernels are others now. */
export class KernelNews implements IDisposable {
  constructor(private readonly _refresh: () => Promise<void>) {
    this._channel = new BroadcastChannel(CHANNEL);
    this._channel.onmessage = () => this._look();
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  tell(): void {
    this._channel.postMessage(null);
    this._look();
  }

  dispose(): void {
    this._disposed = true;
    this._channel.close();
  }

  /** A server that is silent now is asked again by Jupyter itself, a minute later. */
  private _look(): void {
    this._refresh().catch((error: Error) => {
      console.warn(`The kernels could not be read again: ${error.message}`);
    });
  }

  private readonly _channel: BroadcastChannel;
  private _disposed = false;
}
