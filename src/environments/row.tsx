import {
  addIcon,
  closeIcon,
  copyIcon,
  ellipsesIcon,
  kernelIcon
} from '@jupyterlab/ui-components';
import type { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Environment, Task } from '../api/types';
import { Button } from '../components/buttons';
import { jobsIcon } from '../components/icons';
import { menuAt } from '../components/menu';
import { TaskProgress } from '../components/taskprogress';
import type { IEnvironmentActions } from './actions';
import { canClone, canUse, isOwn } from './actions';
import { Facts } from './facts';
import { hintsOf } from './refusal';
import {
  cudaText,
  doingText,
  interpreterText,
  packagesText,
  sizeText,
  stateText
} from './words';

interface IRowProps {
  one: Environment;
  news: Task | null;
  measuring: boolean;
  open: boolean;
  selected: boolean;
  focusable: boolean;
  actions: IEnvironmentActions;
  onFocus: () => void;
  onOpen: () => void;
  onRead: (task: Task) => void;
}

/** One environment: what it is, how big, and what happens to it now. */
export function Row(props: IRowProps): React.ReactElement {
  const { one, news, actions } = props;
  const packages = packagesText(one);
  const cuda = cudaText(one);
  const openMenu = (event: React.MouseEvent) =>
    menuAt(event, (x, y) => actions.showMenu(one, x, y));
  return (
    <div
      role="row"
      className="jp-Mlinfn-environment"
      data-name={one.name}
      data-kind={one.kind}
      aria-selected={props.selected}
      tabIndex={props.focusable ? 0 : -1}
      onFocus={props.onFocus}
      onContextMenu={openMenu}
    >
      <div role="gridcell" className="jp-Mlinfn-environmentMain">
        <div className="jp-Mlinfn-environmentName">
          <button
            className="jp-Mlinfn-link"
            tabIndex={props.focusable ? 0 : -1}
            title={one.prefix ?? one.name}
            aria-expanded={props.open}
            onClick={props.onOpen}
          >
            {one.name}
          </button>
          <span>{interpreterText(one)}</span>
        </div>
        {packages && <p>{packages}</p>}
        <p className="jp-Mlinfn-numbers">{sizeText(one, props.measuring)}</p>
        {one.problem && <p className="jp-Mlinfn-problem">{one.problem}</p>}
        {cuda && (
          <p className="jp-Mlinfn-cuda" data-state={one.cuda?.state}>
            {cuda}
          </p>
        )}
        <p className="jp-Mlinfn-hint">{stateText(one)}</p>
        {news && <News task={news} actions={actions} onRead={props.onRead} />}
        {props.open && <Facts one={one} />}
      </div>
      <div role="gridcell" className="jp-Mlinfn-environmentButtons">
        <Buttons {...props} />
        <RowButton
          label={`Actions for ${one.name}`}
          icon={ellipsesIcon}
          focusable={props.focusable}
          menu
          run={openMenu}
        />
      </div>
    </div>
  );
}

/** What is asked for most, shown while the pointer or the focus is on the row. */
function Buttons(props: IRowProps): React.ReactElement {
  const { one, news, actions, focusable } = props;
  const busy = news?.state === 'running';
  const on = one.kernel !== null;
  return (
    <span className="jp-Mlinfn-onHover">
      {canClone(one) && (
        <RowButton
          label={`Clone ${one.name}…`}
          icon={copyIcon}
          focusable={focusable}
          run={() => actions.clone(one)}
        />
      )}
      {isOwn(one) && (
        <>
          <RowButton
            label={`Add packages to ${one.name}…`}
            icon={addIcon}
            focusable={focusable}
            disabled={busy}
            run={() => actions.addPackages(one)}
          />
          <RowButton
            label={`Kernel ${on ? 'off' : 'on'}: ${one.name}`}
            icon={kernelIcon}
            focusable={focusable}
            disabled={busy}
            run={() => actions.toggleKernel(one)}
          />
        </>
      )}
      {actions.hasJobs && canUse(one) && (
        <RowButton
          label={`Use for job: ${one.name}`}
          icon={jobsIcon}
          focusable={focusable}
          run={() => actions.use(one)}
        />
      )}
    </span>
  );
}

function RowButton(props: {
  label: string;
  icon: LabIcon;
  focusable: boolean;
  disabled?: boolean;
  menu?: boolean;
  run: (event: React.MouseEvent) => void;
}): React.ReactElement {
  return (
    <button
      className="jp-Mlinfn-iconButton"
      title={props.label}
      aria-label={props.label}
      aria-haspopup={props.menu ? 'menu' : undefined}
      tabIndex={props.focusable ? 0 : -1}
      disabled={props.disabled}
      onClick={props.run}
    >
      <props.icon.react tag="span" />
    </button>
  );
}

/** What a task does to an environment, or how it ended, with what to do about it. */
export function News(props: {
  task: Task;
  actions: IEnvironmentActions;
  onRead: (task: Task) => void;
}): React.ReactElement {
  const { task, actions } = props;
  if (task.state === 'running') {
    return (
      <div className="jp-Mlinfn-news">
        <TaskProgress task={task} />
        <Button
          aria-label={`Cancel: ${task.name} ${doingText(task)}`}
          onClick={() => actions.cancel(task)}
        >
          Cancel
        </Button>
      </div>
    );
  }
  const { result, state } = task;
  const text = result?.text ?? 'It ended, and did not say how.';
  const hints = hintsOf(result?.problems ?? []).filter(
    hint => !text.includes(hint)
  );
  return (
    <div className="jp-Mlinfn-news" data-state={state}>
      <p className={state === 'failed' ? 'jp-Mlinfn-problem' : undefined}>
        {[text, ...hints].join(' ')}
      </p>
      <button
        className="jp-Mlinfn-iconButton"
        title="I have read this"
        aria-label={`I have read what happened to ${task.name}`}
        onClick={() => props.onRead(task)}
      >
        <closeIcon.react tag="span" />
      </button>
    </div>
  );
}
