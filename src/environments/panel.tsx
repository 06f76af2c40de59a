import { ellipsesIcon, refreshIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { EnvironmentList } from '../api/types';
import { Button, IconButton } from '../components/buttons';
import { environmentsIcon } from '../components/icons';
import { nextIndex } from '../components/keys';
import { useModel, WatchingWidget } from '../components/panel';
import { Failure, LiveLine, Notice, Skeleton } from '../components/states';
import type { IEnvironmentActions } from './actions';
import { isOwn } from './actions';
import type { EnvironmentsModel } from './model';
import { environmentKey } from './model';
import { News, Row } from './row';
import type { IGroup } from './words';
import { groups } from './words';

interface IEnvironmentsProps {
  model: EnvironmentsModel;
  actions: IEnvironmentActions;
}

/** One's own environments, the managed ones, and those found on this machine. */
export function Environments(props: IEnvironmentsProps): React.ReactElement {
  const { model, actions } = props;
  useModel(model);
  return (
    <div>
      <div className="jp-Mlinfn-header">
        <div className="jp-Mlinfn-headerLine">
          <h2>Environments</h2>
          <IconButton
            label="Look again"
            icon={refreshIcon}
            run={() => void model.refresh()}
          />
          <IconButton
            label="Free space…"
            icon={ellipsesIcon}
            run={() => actions.collectGarbage()}
          />
        </div>
        {model.list && (
          <div className="jp-Mlinfn-headerLine">
            <input
              type="search"
              className="jp-Mlinfn-input"
              placeholder="Search"
              aria-label="Search environments by name or package"
              value={model.search}
              onChange={event => model.setSearch(event.target.value)}
            />
            <Button
              kind="accept"
              aria-label="New environment…"
              onClick={() => actions.create()}
            >
              New…
            </Button>
          </div>
        )}
      </div>
      <LiveLine live={model.live} topic="tasks" />
      <NewsOfAll {...props} />
      <Content {...props} />
    </div>
  );
}

/** What is done to all environments together: freeing space. */
function NewsOfAll(props: IEnvironmentsProps): React.ReactElement | null {
  const { model, actions } = props;
  const task = model.newsOf('');
  return (
    task && (
      <div className="jp-Mlinfn-unborn">
        <strong>Free space</strong>
        <News
          task={task}
          actions={actions}
          onRead={read => model.markRead(read.id)}
        />
      </div>
    )
  );
}

function Content(props: IEnvironmentsProps): React.ReactElement {
  const { model, actions } = props;
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
  if (!list.environments.length && !model.unborn.length) {
    return (
      <Notice
        icon={environmentsIcon}
        title="No environment yet"
        action={{ label: 'New environment…', run: () => actions.create() }}
      >
        <p>
          An environment is a set of packages that a notebook or a job runs in.
          You can make one of your own here: no conda is needed.
        </p>
      </Notice>
    );
  }
  const found = groups(list.environments, model.search);
  if (!found.length && model.search) {
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
      {error && (
        <p className="jp-Mlinfn-liveLine" role="alert">
          {error.message} What you see may be old.
        </p>
      )}
      <Groups {...props} list={list} groups={found} />
    </>
  );
}

function Groups(
  props: IEnvironmentsProps & {
    list: EnvironmentList;
    groups: readonly IGroup[];
  }
): React.ReactElement {
  const { model, actions, list } = props;
  const node = React.useRef<HTMLDivElement>(null);
  const shown = props.groups.flatMap(group => group.environments);
  const keys = shown.map(environmentKey);
  const current = Math.max(0, keys.indexOf(model.selected ?? ''));
  const onKey = (event: React.KeyboardEvent) => {
    const onRow = (event.target as HTMLElement).role === 'row';
    const next = onRow ? nextIndex(event.key, current, keys.length) : null;
    if (next !== null) {
      model.select(keys[next]);
      node.current?.querySelectorAll<HTMLElement>('[role=row]')[next]?.focus();
    } else if (onRow && event.key === 'Enter') {
      model.open(model.opened === keys[current] ? null : keys[current]);
    } else if (onRow && event.key === 'Delete' && isOwn(shown[current])) {
      actions.remove(shown[current]);
    } else {
      return;
    }
    event.preventDefault();
  };
  const none = !shown.some(isOwn) && !model.unborn.length && !model.search;
  return (
    <div ref={node} onKeyDown={onKey}>
      {(none || model.unborn.length > 0) && (
        <Beginnings {...props} alone={!shown.some(isOwn)} />
      )}
      {props.groups.map(group => (
        <section key={group.kind} aria-label={group.title}>
          {!(group.kind === 'own' && model.unborn.length) && (
            <h3 className="jp-Mlinfn-groupTitle">{group.title}</h3>
          )}
          <div
            role="grid"
            aria-label={group.title}
            className="jp-Mlinfn-environments"
          >
            {group.environments.map(one => {
              const key = environmentKey(one);
              return (
                <Row
                  key={key}
                  one={one}
                  news={isOwn(one) ? model.newsOf(one.name) : null}
                  measuring={list.measuring}
                  open={model.opened === key}
                  selected={model.selected === key}
                  focusable={keys[current] === key}
                  actions={actions}
                  onFocus={() => model.select(key)}
                  onOpen={() => model.open(model.opened === key ? null : key)}
                  onRead={task => model.markRead(task.id)}
                />
              );
            })}
          </div>
        </section>
      ))}
    </div>
  );
}

/** Environments that are being made, or the way to the first one. */
function Beginnings(
  props: IEnvironmentsProps & { alone: boolean }
): React.ReactElement {
  const { model, actions } = props;
  return (
    <section aria-label="Mine, being made">
      <h3 className="jp-Mlinfn-groupTitle">Mine</h3>
      {model.unborn.map(name => {
        const task = model.newsOf(name);
        return (
          <div key={name} className="jp-Mlinfn-unborn" data-name={name}>
            <strong>{name}</strong>
            {task && (
              <News
                task={task}
                actions={actions}
                onRead={read => model.markRead(read.id)}
              />
            )}
          </div>
        );
      })}
      {props.alone && !model.unborn.length && (
        <p className="jp-Mlinfn-firstOwn">
          None yet. Clone one of those below and change it, or make a{' '}
          <button className="jp-Mlinfn-link" onClick={() => actions.create()}>
            new environment…
          </button>
        </p>
      )}
    </section>
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
