import * as React from 'react';

import type { Remedy } from '../api/types';
import { Button } from '../components/buttons';
import { TaskProgress } from '../components/taskprogress';
import type { SubmitModel } from './submitmodel';

const LABELS: Record<Remedy['kind'], string> = {
  lock: 'Lock what I have now and submit',
  'put-back': 'Put the locked files back and submit',
  both: 'Lock the packages, put the locked files back, and submit'
};

/** An environment that is not what its lock says: what can be done, and how it goes on. */
export function Mismatch(props: {
  model: SubmitModel;
  mend: () => void;
}): React.ReactElement | null {
  const { mending, remedy, error, problems } = props.model;
  if (mending) {
    return (
      <div className="jp-Mlinfn-mismatch">
        {mending.task ? <TaskProgress task={mending.task} /> : <p>Starting…</p>}
        <p className="jp-Mlinfn-hint">
          The job is submitted when this has ended. You can close this form, but
          keep this page open until then.
        </p>
        <Button
          disabled={mending.cancelling}
          onClick={() => void props.model.cancelMending()}
        >
          {mending.cancelling ? 'Cancelling…' : 'Cancel'}
        </Button>
      </div>
    );
  }
  if (!remedy) {
    return null;
  }
  const others = problems.filter(one => one.code !== 'environment-mismatch');
  return (
    <div className="jp-Mlinfn-mismatch">
      {error && (
        <p className="jp-Mlinfn-problem" role="alert">
          {error.message}
        </p>
      )}
      <p>{remedy.text}</p>
      {remedy.files.length > 1 && (
        <details>
          <summary>Files changed by hand</summary>
          <ul>
            {remedy.files.map(file => (
              <li key={file}>
                <code>{file}</code>
              </li>
            ))}
          </ul>
        </details>
      )}
      <Button
        kind="accept"
        disabled={others.length > 0}
        title={
          others.length
            ? 'First correct what else prevents the job; it is listed above'
            : undefined
        }
        onClick={props.mend}
      >
        {LABELS[remedy.kind]}
      </Button>
    </div>
  );
}
