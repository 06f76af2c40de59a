import { infoIcon, LabIcon, offlineBoltIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { ApiProblem, NoServerPart, ServerSilent } from '../api/client';
import type { LiveSocket, Topic } from '../api/live';
import { Button } from './buttons';

/** Grey lines where the content will be, so that nothing jumps when it comes. */
export function Skeleton(props: { lines?: number }): React.ReactElement {
  return (
    <div className="jp-Mlinfn-skeleton" role="status" aria-label="Loading">
      {Array.from({ length: props.lines ?? 4 }, (_, index) => (
        <div key={index} className="jp-Mlinfn-skeletonLine" />
      ))}
    </div>
  );
}

interface INoticeProps {
  icon?: LabIcon;
  title: string;
  children?: React.ReactNode;
  action?: { label: string; run: () => void };
  live?: boolean;
}

/** A calm sentence in the middle of a panel, with at most one button. */
export function Notice(props: INoticeProps): React.ReactElement {
  const icon = props.icon ?? infoIcon;
  return (
    <div className="jp-Mlinfn-notice" role={props.live ? 'status' : undefined}>
      <icon.react tag="span" className="jp-Mlinfn-noticeIcon" />
      <p className="jp-Mlinfn-noticeTitle">{props.title}</p>
      {props.children}
      {props.action && (
        <Button kind="accept" onClick={props.action.run}>
          {props.action.label}
        </Button>
      )}
    </div>
  );
}

/** What happened, Retry, Details; or calmly that there is no server part. */
export function Failure(props: {
  error: Error;
  what: string;
  retry: () => void;
}): React.ReactElement {
  const { error } = props;
  if (error instanceof NoServerPart) {
    return (
      <Notice icon={offlineBoltIcon} title="There is no server part here">
        <p>
          This page runs without the Jupyter server that does the work, or the
          extension is switched off there. Notebooks work as always.
        </p>
        <p>
          On your own server: <code>pip install jupyter_mlinfn</code>, then
          start JupyterLab again.
        </p>
      </Notice>
    );
  }
  return (
    <div className="jp-Mlinfn-notice" role="alert">
      <p className="jp-Mlinfn-noticeTitle">{props.what}</p>
      <p>{error.message}</p>
      <Button kind="accept" onClick={props.retry}>
        Retry
      </Button>
      {!(error instanceof ServerSilent) && (
        <details>
          <summary>Details</summary>
          <pre className="jp-Mlinfn-pre">{details(error)}</pre>
        </details>
      )}
    </div>
  );
}

function details(error: Error): string {
  if (error instanceof ApiProblem) {
    const more = error.problems.map(
      problem => `${problem.field ?? problem.code}: ${problem.text}`
    );
    return [`HTTP ${error.status}, ${error.code}`, ...more].join('\n');
  }
  return error.stack ?? String(error);
}

/** One line that says so when what is shown may be old. */
export function LiveLine(props: {
  live: LiveSocket;
  topic: Topic;
}): React.ReactElement | null {
  const { live, topic } = props;
  const [, setChanges] = React.useState(0);
  React.useEffect(() => {
    const update = () => setChanges(number => number + 1);
    live.statusChanged.connect(update);
    return () => {
      live.statusChanged.disconnect(update);
    };
  }, [live]);
  const trouble = live.trouble(topic);
  if (live.status === 'paused') {
    return (
      <button className="jp-Mlinfn-liveLine" onClick={() => live.resume()}>
        Paused: {live.pausedReason || 'nobody used this page.'} Click to resume.
      </button>
    );
  }
  if (live.status === 'reconnecting' || trouble) {
    return (
      <p className="jp-Mlinfn-liveLine" role="status">
        {trouble || 'The connection broke; trying again.'} What you see may be
        old.
      </p>
    );
  }
  return null;
}
