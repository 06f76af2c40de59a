import * as React from 'react';

import { useModel } from '../components/panel';
import type { JobModel } from './jobmodel';
import { hasEnded } from './words';

const NEAR_END = 30;

/** The log as it grows; stays at its end unless one scrolls up. */
export function Log({ model }: { model: JobModel }): React.ReactElement {
  useModel(model);
  const node = React.useRef<HTMLPreElement>(null);
  const follows = React.useRef(true);
  const text = plainText(model.log);
  React.useLayoutEffect(() => {
    if (node.current && follows.current) {
      node.current.scrollTop = node.current.scrollHeight;
    }
  }, [text]);
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = node.current!;
    follows.current = scrollTop + clientHeight > scrollHeight - NEAR_END;
  };
  const ended = model.job !== null && hasEnded(model.job);
  return (
    <section aria-label="Log" className="jp-Mlinfn-logSection">
      <h3>Log</h3>
      {model.logCut && (
        <p className="jp-Mlinfn-hint">
          The beginning is not shown here; the whole log is in the job’s folder.
        </p>
      )}
      <pre
        ref={node}
        className="jp-Mlinfn-log"
        tabIndex={0}
        aria-label="Log of the job"
        onScroll={onScroll}
      >
        {text ||
          (ended ? 'It printed nothing.' : 'Nothing has been printed yet.')}
      </pre>
    </section>
  );
}

// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007]*\u0007/g;

/** Without colour codes; of a line that was overwritten (`\r`) only its last form. */
export function plainText(log: string): string {
  return log
    .replace(ESCAPES, '')
    .replace(/\r+\n/g, '\n')
    .replace(/[^\n]*\r/g, '');
}
