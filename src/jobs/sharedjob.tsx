import * as React from 'react';

import type { JobRecord, SharedDetails, SweepCounts } from '../api/types';
import { Button } from '../components/buttons';
import { count, showBytes, showTime } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import { plainText } from './log';
import { PointsModel } from './pointsmodel';
import { Record } from './record';
import { JobState } from './state';
import { SweepPart } from './sweep';
import type { SharingClient } from '../api/sharing';
import { hasNotebook, parameterText, resourcesText } from './words';

const MOST_LOG = 500_000;

interface ISharedJobProps {
  client: SharingClient;
  area: string;
  id: string;
  onNotebook: (source: string) => void;
  onFolder: (path: string) => void;
  onCompare: () => void;
  onRerun: (details: SharedDetails) => void;
  onSavePoints: (job: JobRecord) => void;
}

/** A job that somebody shares, with all that is told of it. */
export function SharedJobPage(props: ISharedJobProps): React.ReactElement {
  const { client, area, id } = props;
  const [told, setTold] = React.useState<SharedDetails | null>(null);
  const [error, setError] = React.useState<Error | null>(null);
  const load = React.useCallback(() => {
    setError(null);
    client.details(area, id).then(setTold, setError);
  }, [client, area, id]);
  React.useEffect(load, [load]);
  return (
    <article className="jp-Mlinfn-jobTab" aria-label="Shared job">
      {error && (
        <Failure
          error={error}
          what="The shared job could not be read"
          retry={load}
        />
      )}
      {!error && !told && <Skeleton lines={8} />}
      {told && (
        <>
          <Head {...props} told={told} />
          {told.notes.map(note => (
            <p key={note} className="jp-Mlinfn-hint">
              {note}
            </p>
          ))}
          {told.details.job.sweep ? (
            <SharedPoints
              {...props}
              job={told.details.job}
              counts={told.details.job.sweep}
            />
          ) : (
            <SharedLog {...props} />
          )}
          <Record job={told.details.job} details={told.details} />
        </>
      )}
    </article>
  );
}

function Head(
  props: ISharedJobProps & { told: SharedDetails }
): React.ReactElement {
  const { told } = props;
  const { shared } = told;
  const { job } = told.details;
  const button = (label: string, run: () => void) => (
    <Button onClick={run}>{label}</Button>
  );
  return (
    <div className="jp-Mlinfn-jobHead">
      <h2>
        {job.name} <span className="jp-Mlinfn-hint">{job.id}</span>
      </h2>
      <p>
        Shared by {shared.mine ? 'you' : shared.owner},{' '}
        {showTime(shared.shared_at)}, in {shared.area}
      </p>
      <p className="jp-Mlinfn-jobFacts">
        <JobState job={job} />
        <span>{resourcesText(job.resources)}</span>
        <span>{job.environment.name}</span>
      </p>
      {Object.keys(job.parameters).length > 0 && (
        <p>
          <code>{parameterText(job.parameters)}</code>
        </p>
      )}
      <p className="jp-Mlinfn-hint">
        {count(told.outputs.length, 'output file')},{' '}
        {showBytes(told.outputs.reduce((sum, one) => sum + one.size, 0))}, in{' '}
        <code>{shared.path}/outputs</code>
      </p>
      <div className="jp-Mlinfn-actions">
        {hasNotebook(job) &&
          button('Open notebook', () => props.onNotebook(job.source))}
        {told.outputs.length > 0 &&
          button('Open output', () => props.onFolder(`${shared.path}/outputs`))}
        {button('Compare with mine…', props.onCompare)}
        {button('Run as my job', () => props.onRerun(told))}
      </div>
    </div>
  );
}

/** The table and the plot of a sweep, as its owner sees them; nothing can be done to it. */
function SharedPoints(
  props: ISharedJobProps & { job: JobRecord; counts: SweepCounts }
): React.ReactElement | null {
  const { client, area, id, job, counts } = props;
  const [model, setModel] = React.useState<PointsModel | null>(null);
  React.useEffect(() => {
    const points = new PointsModel(id, client.points(area));
    points.look();
    setModel(points);
    return () => points.dispose();
  }, [client, area, id]);
  return (
    model && (
      <SweepPart
        job={job}
        counts={counts}
        model={model}
        saveCsv={() => props.onSavePoints(job)}
      />
    )
  );
}

function SharedLog(props: ISharedJobProps): React.ReactElement {
  const { client, area, id } = props;
  const [text, setText] = React.useState<string | null>(null);
  const [trouble, setTrouble] = React.useState('');
  React.useEffect(() => {
    let wanted = true;
    const read = async () => {
      let log = '';
      let start = 0;
      for (;;) {
        const chunk = await client.log(area, id, start);
        log = (log + chunk.text).slice(-MOST_LOG);
        start = chunk.next;
        if (!wanted || !chunk.text || chunk.next >= chunk.size) {
          return log;
        }
      }
    };
    read().then(
      log => wanted && setText(log),
      (error: Error) => wanted && setTrouble(error.message)
    );
    return () => {
      wanted = false;
    };
  }, [client, area, id]);
  return (
    <section aria-label="Log" className="jp-Mlinfn-logSection">
      <h3>Log</h3>
      <pre
        className="jp-Mlinfn-log"
        tabIndex={0}
        aria-label="Log of the shared job"
      >
        {trouble ||
          (text === null ? '…' : plainText(text) || 'It printed nothing.')}
      </pre>
    </section>
  );
}
