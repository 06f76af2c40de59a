import { launchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Button } from '../components/buttons';
import { gpusIcon } from '../components/icons';
import { useModel, useTicks, WatchingWidget } from '../components/panel';
import { Failure, LiveLine, Notice, Skeleton } from '../components/states';
import type { IGpuActions } from './actions';
import { Card } from './card';
import type { GpusModel } from './model';
import { ageText, cards, idleOfMine } from './words';

interface IGpusProps {
  model: GpusModel;
  actions: IGpuActions;
  narrow: boolean;
}

/** All accelerators: what is mine and idle first, then card by card. */
export function Gpus(props: IGpusProps): React.ReactElement {
  const { model, actions, narrow } = props;
  useModel(model);
  useTicks(model.snapshot !== null && model.live.status !== 'live', 5000);
  const { snapshot } = model;
  const age = snapshot ? ageText(snapshot) : '';
  return (
    <div className="jp-Mlinfn-gpus">
      <div className="jp-Mlinfn-header">
        <div className="jp-Mlinfn-headerLine">
          <h2>GPUs</h2>
          {snapshot?.simulated && (
            <span className="jp-Mlinfn-badge">simulated</span>
          )}
          {narrow && (
            <button
              className="jp-Mlinfn-iconButton"
              title="Open GPUs in a tab"
              aria-label="Open GPUs in a tab"
              onClick={() => actions.openAsTab()}
            >
              <launchIcon.react tag="span" />
            </button>
          )}
        </div>
        {age && <p className="jp-Mlinfn-hint">{age}</p>}
      </div>
      <LiveLine live={model.live} topic="gpus" />
      <Content {...props} />
    </div>
  );
}

function Content({ model, actions }: IGpusProps): React.ReactElement {
  const { snapshot, error } = model;
  if (!snapshot && error) {
    return (
      <Failure
        error={error}
        what="The GPUs could not be read"
        retry={() => void model.refresh()}
      />
    );
  }
  if (!snapshot || (!snapshot.taken_at && !snapshot.missing)) {
    return <Skeleton lines={5} />;
  }
  if (!snapshot.accelerators.length) {
    return (
      <Notice icon={gpusIcon} title="No GPU here" live>
        <p>
          {snapshot.missing ??
            'This machine shows no GPU. Everything else works without one.'}
        </p>
      </Notice>
    );
  }
  const idle = idleOfMine(snapshot);
  const { driver, cuda } = snapshot.facts;
  return (
    <>
      {idle && (
        <div className="jp-Mlinfn-idle">
          <span>{idle.text}</span>
          <Button onClick={() => actions.free(idle.holders)}>Free it…</Button>
        </div>
      )}
      <div className="jp-Mlinfn-cards">
        {cards(snapshot).map(one => (
          <Card
            key={one.gpu?.uuid ?? 'slices'}
            card={one}
            model={model}
            actions={actions}
          />
        ))}
      </div>
      <p className="jp-Mlinfn-hint jp-Mlinfn-driver">
        {[driver && `Driver ${driver}`, cuda && `CUDA ${cuda}`]
          .filter(Boolean)
          .join(' · ')}
      </p>
    </>
  );
}

/** The accelerators as a widget, for the side bar and for the main area. */
export class GpusWidget extends WatchingWidget {
  constructor(private readonly _props: IGpusProps) {
    super(_props.model);
    this.title.icon = gpusIcon;
    this.title.caption = 'GPUs';
  }

  protected render(): React.ReactElement {
    return <Gpus {...this._props} />;
  }
}
