import { refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Environment } from '../api/types';
import { environmentsIcon } from '../components/icons';
import { useModel, WatchingWidget } from '../components/panel';
import { Failure, LiveLine, Notice, Skeleton } from '../components/states';
import type { EnvironmentsModel } from './model';
import { groups, interpreterText, packagesText, sizeText } from './words';

interface IEnvironmentsProps {
  model: EnvironmentsModel;
  /** Open the submit form with this kernel chosen; absent where there are no jobs. */
  onUse: ((kernel: string) => void) | null;
}

/** The environments behind this server's kernels, and those found on this machine. */
export function Environments(props: IEnvironmentsProps): React.ReactElement {
  const { model } = props;
  useModel(model);
  return (
    <div>
      <div className="jp-Mlinfn-header">
        <div className="jp-Mlinfn-headerLine">
          <h2>Environments</h2>
          <button
            className="jp-Mlinfn-iconButton"
            title="Look again"
            aria-label="Look again"
            onClick={() => void model.refresh()}
          >
            <refreshIcon.react tag="span" />
          </button>
        </div>
        {(model.list?.environments.length ?? 0) > 0 && (
          <div className="jp-Mlinfn-headerLine">
            <input
              type="search"
              className="jp-Mlinfn-input"
              placeholder="Search"
              aria-label="Search environments by name or package"
              value={model.search}
              onChange={event => model.setSearch(event.target.value)}
            />
          </div>
        )}
      </div>
      <LiveLine live={model.live} topic="tasks" />
      <Content {...props} />
    </div>
  );
}

function Content({ model, onUse }: IEnvironmentsProps): React.ReactElement {
  const { list, error } = model;
  if (!list && error) {
    return (
      <Failure
        error={error}
        what="The environments could not be read"
        retry={() => void model.refresh()}
      />
    );
  }
  if (!list) {
    return <Skeleton lines={5} />;
  }
  if (!list.environments.length) {
    return (
      <Notice icon={environmentsIcon} title="No environment found">
        <p>
          An environment is a set of packages that a notebook or a job runs in.
          This server has no kernel yet: install one, for example with{' '}
          <code>pip install ipykernel</code>.
        </p>
      </Notice>
    );
  }
  const found = groups(list.environments, model.search);
  if (!found.length) {
    return (
      <Notice
        icon={environmentsIcon}
        title="No environment is like this"
        live
        action={{ label: 'Show all', run: () => model.setSearch('') }}
      />
    );
  }
  return (
    <>
      {found.map(group => (
        <section key={group.title} aria-label={group.title}>
          <h3 className="jp-Mlinfn-groupTitle">{group.title}</h3>
          <ul className="jp-Mlinfn-environments">
            {group.environments.map(one => (
              <Row
                key={`${one.name} ${one.prefix}`}
                one={one}
                measuring={list.measuring}
                onUse={onUse}
              />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Row(props: {
  one: Environment;
  measuring: boolean;
  onUse: ((kernel: string) => void) | null;
}): React.ReactElement {
  const { one, onUse } = props;
  const kernel = one.kernels[0];
  const packages = packagesText(one);
  return (
    <li className="jp-Mlinfn-environment">
      <div className="jp-Mlinfn-environmentName">
        <strong title={one.prefix ?? one.name}>{one.name}</strong>
        <span>{interpreterText(one)}</span>
      </div>
      {packages && <p>{packages}</p>}
      <p className="jp-Mlinfn-numbers">{sizeText(one, props.measuring)}</p>
      {one.problem && <p className="jp-Mlinfn-problem">{one.problem}</p>}
      <div className="jp-Mlinfn-environmentFoot">
        <span>
          {one.kernels.length
            ? `kernel ${one.kernels.join(', ')}`
            : 'no kernel here'}
        </span>
        {kernel && onUse && !one.problem && (
          <button
            className="jp-Mlinfn-button"
            aria-label={`Use for job: ${one.name}`}
            onClick={() => onUse(kernel)}
          >
            Use for job
          </button>
        )}
      </div>
    </li>
  );
}

/** The environments as a widget of the side bar. */
export class EnvironmentsWidget extends WatchingWidget {
  constructor(private readonly _props: IEnvironmentsProps) {
    super(_props.model);
    this.title.icon = environmentsIcon;
    this.title.caption = 'Environments';
  }

  protected render(): React.ReactElement {
    return <Environments {...this._props} />;
  }
}
