import * as React from 'react';

import type { IPointsSource } from '../api/client';
import type { JobRecord, Point } from '../api/types';
import { Button } from '../components/buttons';
import { showBytes, showTime } from '../components/quantities';
import type { IJobActions } from './actions';
import { plainText } from './log';
import { runTimeText } from './sweepwords';
import { hasNotebook, parameterText, valuesText } from './words';

const LOG_EVERY = 2000;
const MOST_LOG = 200_000;

interface IPointProps {
  job: JobRecord;
  point: Point;
  client: IPointsSource;
  /** Absent where nothing can be done to it: it is somebody else's. */
  actions?: IJobActions;
  onClose: () => void;
}

/** One point looked at closer: why it is so, its log, its notebook. */
export function SweepPoint(props: IPointProps): React.ReactElement {
  const { actions, client, job, point } = props;
  const ended = ['succeeded', 'failed', 'cancelled'].includes(point.state);
  const facts = [
    point.host && `on ${point.host}`,
    point.started_at && `started ${showTime(point.started_at)}`,
    runTimeText(point),
    point.attempts > 1 && `start ${point.attempts}`,
    point.usage.peak_memory &&
      `${showBytes(point.usage.peak_memory)} of memory at most`
  ].filter(Boolean);
  const values = valuesText(point.values);
  return (
    <section
      className="jp-Mlinfn-sweepPoint"
      aria-label={`Point ${point.index}`}
    >
      <h3>
        Point {point.index}: {point.state}
      </h3>
      <p>
        <code>{parameterText(point.parameters)}</code>
        {values && <> · {values}</>}
      </p>
      {facts.length > 0 && (
        <p className="jp-Mlinfn-hint">{facts.join(' · ')}</p>
      )}
      {point.reason && point.state !== 'succeeded' && (
        <p>{point.reason.text}</p>
      )}
      <div className="jp-Mlinfn-actions">
        {actions && point.output && (
          <Button onClick={() => actions.openFile(point.output ?? '')}>
            Open notebook
          </Button>
        )}
        {actions && !point.output && point.attempts > 0 && hasNotebook(job) && (
          <Button onClick={() => actions.openNotebook(job, point.index)}>
            Open notebook as far as it is
          </Button>
        )}
        {actions && ended && (
          <Button onClick={() => actions.rerunPoints(job, [point.index])}>
            Rerun this point
          </Button>
        )}
        {actions && !ended && (
          <Button
            disabled={point.cancelling}
            onClick={() => actions.cancelPoint(job, point.index)}
          >
            {point.cancelling ? 'Cancelling…' : 'Cancel this point'}
          </Button>
        )}
        <Button onClick={props.onClose}>Close</Button>
      </div>
      <PointLog
        key={point.index}
        client={client}
        job={job.id}
        point={point.index}
        ended={ended}
      />
    </section>
  );
}

function PointLog(props: {
  client: IPointsSource;
  job: string;
  point: number;
  ended: boolean;
}): React.ReactElement {
  const { client, job, point, ended } = props;
  const [text, setText] = React.useState('');
  const [trouble, setTrouble] = React.useState('');
  const next = React.useRef(0);
  React.useEffect(() => {
    let wanted = true;
    let timer = 0;
    const read = async () => {
      try {
        const chunk = await client.pointLog(job, point, next.current);
        if (!wanted) {
          return;
        }
        next.current = chunk.next;
        setTrouble('');
        if (chunk.text) {
          setText(before => (before + chunk.text).slice(-MOST_LOG));
        }
        const whole = chunk.next >= chunk.size;
        if (!whole || !ended) {
          timer = window.setTimeout(() => void read(), whole ? LOG_EVERY : 0);
        }
      } catch (error) {
        if (wanted) {
          setTrouble((error as Error).message);
        }
      }
    };
    void read();
    return () => {
      wanted = false;
      window.clearTimeout(timer);
    };
  }, [client, job, point, ended]);
  return (
    <pre
      className="jp-Mlinfn-log"
      tabIndex={0}
      aria-label={`Log of point ${point}`}
    >
      {plainText(text) ||
        trouble ||
        (ended ? 'It printed nothing.' : 'Nothing has been printed yet.')}
    </pre>
  );
}
