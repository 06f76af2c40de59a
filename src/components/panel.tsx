import { ReactWidget } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import type { Message } from '@lumino/messaging';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';

/** What a view is drawn from. */
export interface IWatchable {
  readonly stateChanged: ISignal<unknown, void>;
  watch(): IDisposable;
}

/** Draw again whenever the model says that it changed; the result counts the changes. */
export function useModel(
  model: IWatchable | Pick<IWatchable, 'stateChanged'>
): number {
  const [changes, setChanges] = React.useState(0);
  React.useEffect(() => {
    const update = () => setChanges(number => number + 1);
    model.stateChanged.connect(update);
    return () => {
      model.stateChanged.disconnect(update);
    };
  }, [model]);
  return changes;
}

/** Draw again every so many milliseconds while `on`: for clocks. */
export function useTicks(on: boolean, every = 1000): void {
  const [, setTick] = React.useState(0);
  React.useEffect(() => {
    if (!on) {
      return;
    }
    const timer = window.setInterval(() => setTick(tick => tick + 1), every);
    return () => window.clearInterval(timer);
  }, [on, every]);
}

/** A widget whose model is kept true only while it is visible. */
export abstract class WatchingWidget extends ReactWidget {
  constructor(private readonly _watched: IWatchable) {
    super();
    this.addClass('jp-Mlinfn-panel');
  }

  dispose(): void {
    this._rest();
    super.dispose();
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._follow();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._follow();
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this._rest();
  }

  protected onBeforeDetach(message: Message): void {
    this._rest();
    super.onBeforeDetach(message);
  }

  private _follow(): void {
    if (this.isVisible && !this._watch) {
      this._watch = this._watched.watch();
    }
  }

  private _rest(): void {
    this._watch?.dispose();
    this._watch = null;
  }

  private _watch: IDisposable | null = null;
}
