import { refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IconButton } from '../components/buttons';
import { storageIcon } from '../components/icons';
import { useModel, WatchingWidget } from '../components/panel';
import { Failure, Notice, Skeleton } from '../components/states';
import type { IStorageActions } from './actions';
import { AreaView } from './area';
import type { StorageModel } from './model';

interface IStorageProps {
  model: StorageModel;
  actions: IStorageActions;
}

/** Where one's files lie, what survives, who sees them, how full it is. */
export function Storage(props: IStorageProps): React.ReactElement {
  const { model } = props;
  useModel(model);
  return (
    <div aria-busy={model.asking}>
      <div className="jp-Mlinfn-header">
        <div className="jp-Mlinfn-headerLine">
          <h2>Storage</h2>
          <IconButton
            label="Look again"
            icon={refreshIcon}
            run={() => void model.refresh()}
          />
        </div>
      </div>
      <Content {...props} />
    </div>
  );
}

function Content(props: IStorageProps): React.ReactElement {
  const { model } = props;
  const { list, error } = model;
  if (!list && error) {
    return (
      <Failure
        error={error}
        what="Your storage areas could not be read"
        retry={() => void model.refresh()}
      />
    );
  }
  if (!list) {
    return <Skeleton lines={5} />;
  }
  if (!list.areas.length) {
    return (
      <Notice icon={storageIcon} title="No storage area is named here">
        <p>Your files are there as always; nobody told where they lie.</p>
      </Notice>
    );
  }
  return (
    <>
      {error && (
        <p className="jp-Mlinfn-liveLine" role="alert">
          {error.message} What you see may be old.
        </p>
      )}
      <div className="jp-Mlinfn-areas">
        {list.areas.map(state => (
          <AreaView key={state.area.name} {...props} state={state} />
        ))}
      </div>
    </>
  );
}

/** The storage areas as a widget of the side bar. */
export class StorageWidget extends WatchingWidget {
  constructor(private readonly _props: IStorageProps) {
    super(_props.model);
    this.title.icon = storageIcon;
    this.title.caption = 'Storage';
  }

  protected render(): React.ReactElement {
    return <Storage {...this._props} />;
  }
}
