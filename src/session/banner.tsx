import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Button } from '../components/buttons';
import { useModel, useTicks } from '../components/panel';
import type { SessionModel } from './model';
import { detailText, keepLabel, warningText } from './words';

const EVERY = 15_000;
const BORDER = 1;

/** The warning, with the one thing to do about it; `fits` is told how high it is. */
export function Banner(props: {
  model: SessionModel;
  fits: (height: number) => void;
}): React.ReactElement | null {
  const { model, fits } = props;
  const row = React.useRef<HTMLDivElement>(null);
  useModel(model);
  const text = warningText(model.view);
  const shown = text !== null;
  useTicks(shown, EVERY);
  React.useEffect(() => {
    const node = row.current;
    if (!node || typeof ResizeObserver === 'undefined') {
      return;
    }
    const observer = new ResizeObserver(() => fits(node.offsetHeight));
    observer.observe(node);
    return () => observer.disconnect();
  }, [fits, shown]);
  const session = model.view?.session;
  if (!text || !model.view || !session) {
    return null;
  }
  return (
    <div className="jp-Mlinfn-sessionRow" ref={row}>
      <p>
        <strong className="jp-Mlinfn-numbers">{text}</strong>{' '}
        {detailText(model.view)}
        {model.error && (
          <span className="jp-Mlinfn-sessionError"> {model.error}</span>
        )}
      </p>
      {session.keeps_left > 0 && (
        <Button
          kind="accept"
          disabled={model.keeping}
          onClick={() => void model.keep()}
        >
          {keepLabel(session)}
        </Button>
      )}
    </div>
  );
}

/** Above everything while there is something to say, and nowhere otherwise. */
export class SessionBanner extends ReactWidget {
  constructor(private readonly _model: SessionModel) {
    super();
    this.id = 'mlinfn-session-banner';
    this.addClass('jp-Mlinfn-sessionBanner');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Idle GPU');
    _model.stateChanged.connect(this._follow, this);
    this._follow();
  }

  protected render(): React.ReactElement {
    return <Banner model={this._model} fits={this._fits} />;
  }

  /** The shell gives a row as much room as its `min-height` says. */
  private readonly _fits = (height: number): void => {
    this.node.style.minHeight = `${height + BORDER}px`;
    this.parent?.fit();
  };

  private _follow(): void {
    this.setHidden(warningText(this._model.view) === null);
  }
}
