import * as React from 'react';

import { gpusIcon } from '../components/icons';
import { useModel, WatchingWidget } from '../components/panel';
import type { GpusModel } from './model';
import { statusText } from './words';

function Status(props: {
  model: GpusModel;
  open: () => void;
}): React.ReactElement | null {
  useModel(props.model);
  const text = statusText(props.model.snapshot);
  if (!text) {
    return null;
  }
  return (
    <button
      className="jp-Mlinfn-statusItem"
      title="Show the GPUs"
      onClick={props.open}
    >
      <gpusIcon.react tag="span" />
      <span className="jp-Mlinfn-numbers">{text}</span>
    </button>
  );
}

/** `GPU 1 held · 83 %` in the status bar; nothing without a GPU. */
export class GpuStatus extends WatchingWidget {
  constructor(
    private readonly _model: GpusModel,
    private readonly _open: () => void
  ) {
    super({
      stateChanged: _model.stateChanged,
      watch: () => _model.watchIfThere()
    });
    this.removeClass('jp-Mlinfn-panel');
  }

  protected render(): React.ReactElement {
    return <Status model={this._model} open={this._open} />;
  }
}
