import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Button } from '../components/buttons';
import { nextIndex } from '../components/keys';
import { count } from '../components/quantities';
import { useTicks } from '../components/panel';
import { Windowed } from '../components/windowed';
import type { IJobActions } from './actions';
import type { Entry } from './listing';
import { jobsBetween } from './listing';
import type { JobsModel } from './model';
import { JobRow } from './row';
import { isActive } from './words';

const ROW_HEIGHT = 58;

interface IListProps {
  model: JobsModel;
  actions: IJobActions;
}

const keyOf = (entry: Entry) => entry.key;

/** The jobs in their groups; only the lines in sight are in the page. */
export function JobList(props: IListProps): React.ReactElement {
  const { model, actions } = props;
  const { entries, selection } = model;
  useTicks(entries.some(one => one.kind === 'job' && isActive(one.job)));
  const grid = React.useRef<HTMLDivElement>(null);
  const found = entries.findIndex(entry => entry.key === selection.current);
  const current = Math.max(0, found);
  const wanted = React.useRef<string | null>(null);
  React.useEffect(() => {
    if (wanted.current !== null) {
      const line = lineOf(grid.current, wanted.current);
      wanted.current = null;
      line?.focus();
      line?.scrollIntoView({ block: 'nearest' });
    }
  });
  const go = (index: number, extend: boolean) => {
    const { key } = entries[index];
    wanted.current = key;
    if (extend) {
      const from = selection.anchor ?? entries[current].key;
      selection.choose(jobsBetween(entries, from, key), key);
    } else {
      selection.go(key);
    }
  };
  const onKey = (event: React.KeyboardEvent) => {
    const next = nextIndex(event.key, current, entries.length);
    if (next !== null) {
      event.preventDefault();
      go(next, event.shiftKey);
    } else if (onLine(event) && act(event, entries[current], props)) {
      event.preventDefault();
    }
  };
  const loadMore = React.useCallback(
    (seen: readonly Entry[]) =>
      seen.forEach(
        one => one.kind === 'more' && void model.loadMore(one.group.name)
      ),
    [model]
  );
  const draw = (entry: Entry, index: number) =>
    entry.kind === 'group' ? (
      <GroupRow
        entry={entry}
        index={index}
        focusable={index === current}
        model={model}
      />
    ) : entry.kind === 'more' ? (
      <MoreRow
        entry={entry}
        index={index}
        focusable={index === current}
        model={model}
      />
    ) : (
      <JobRow
        job={entry.job}
        index={index}
        selected={entry.key === selection.current}
        chosen={selection.chosen.has(entry.key)}
        choosing={selection.chosen.size > 0}
        focusable={index === current}
        actions={actions}
        onFocus={() => selection.go(entry.key)}
        onChoose={extend =>
          extend && selection.anchor
            ? selection.choose(
                jobsBetween(entries, selection.anchor, entry.key),
                entry.key
              )
            : selection.toggle(entry.key)
        }
      />
    );
  return (
    <div
      ref={grid}
      role="treegrid"
      aria-label="Jobs"
      aria-multiselectable="true"
      aria-rowcount={model.found + groupsOf(entries)}
      className="jp-Mlinfn-list"
      onKeyDown={onKey}
    >
      <Windowed
        items={entries}
        keyOf={keyOf}
        estimate={ROW_HEIGHT}
        pinned={entries[current]?.key}
        draw={draw}
        onSight={loadMore}
      />
    </div>
  );
}

function groupsOf(entries: readonly Entry[]): number {
  return entries.filter(entry => entry.kind !== 'job').length;
}

function lineOf(grid: HTMLElement | null, key: string): HTMLElement | null {
  return (
    grid?.querySelector<HTMLElement>(
      `[data-line="${CSS.escape(key)}"] > [role=row]`
    ) ?? null
  );
}

/** True when the key was pressed on a line, not on a button inside it. */
function onLine(event: React.KeyboardEvent): boolean {
  return (
    event.target instanceof HTMLElement &&
    event.target.getAttribute('role') === 'row'
  );
}

/** What a key does on a line; false when it does nothing. */
function act(
  event: React.KeyboardEvent,
  entry: Entry | undefined,
  { model, actions }: IListProps
): boolean {
  const { selection } = model;
  if (!entry) {
    return false;
  }
  if (event.key === 'a' && (event.ctrlKey || event.metaKey)) {
    actions.chooseAll();
    return true;
  }
  if (event.key === 'Escape' && selection.chosen.size) {
    selection.clear();
    return true;
  }
  if (event.key === 'Delete' && selection.chosen.size) {
    actions.bulk('delete');
    return true;
  }
  if (entry.kind === 'group') {
    const fold =
      ['Enter', ' '].includes(event.key) ||
      event.key === (entry.open ? 'ArrowLeft' : 'ArrowRight');
    if (fold) {
      model.toggle(entry.group.name);
    }
    return fold;
  }
  if (entry.kind === 'more') {
    void model.loadMore(entry.group.name, true);
    return ['Enter', ' '].includes(event.key);
  }
  switch (event.key) {
    case ' ':
      selection.toggle(entry.key);
      return true;
    case 'Enter':
      actions.open(entry.key);
      return true;
    case 'Delete':
      actions.remove(entry.job);
      return true;
    default:
      return false;
  }
}

function GroupRow(props: {
  entry: Extract<Entry, { kind: 'group' }>;
  index: number;
  focusable: boolean;
  model: JobsModel;
}): React.ReactElement {
  const { entry, model } = props;
  const Caret = entry.open ? caretDownIcon : caretRightIcon;
  return (
    <div
      role="row"
      aria-level={1}
      aria-expanded={entry.open}
      aria-rowindex={props.index + 1}
      className="jp-Mlinfn-group"
      data-group={entry.group.name}
      tabIndex={props.focusable ? 0 : -1}
      onFocus={() => model.selection.go(entry.key)}
      onClick={() => model.toggle(entry.group.name)}
    >
      <div role="gridcell">
        <Caret.react tag="span" />
        <strong>{entry.group.label}</strong>{' '}
        <span className="jp-Mlinfn-numbers">
          {entry.jobs.toLocaleString('en')}
        </span>
      </div>
    </div>
  );
}

/** Stands for the jobs of a group that were not loaded yet. */
function MoreRow(props: {
  entry: Extract<Entry, { kind: 'more' }>;
  index: number;
  focusable: boolean;
  model: JobsModel;
}): React.ReactElement {
  const { entry, model } = props;
  const error = model.trouble(entry.group.name);
  return (
    <div
      role="row"
      aria-level={2}
      aria-rowindex={props.index + 1}
      className="jp-Mlinfn-moreRow"
      tabIndex={props.focusable ? 0 : -1}
      onFocus={() => model.selection.go(entry.key)}
    >
      <div role="gridcell">
        {error ? (
          <>
            {error.message}{' '}
            <Button
              tabIndex={-1}
              onClick={() => void model.loadMore(entry.group.name, true)}
            >
              Retry
            </Button>
          </>
        ) : (
          `${count(entry.jobs, 'more job')}…`
        )}
      </div>
    </div>
  );
}
