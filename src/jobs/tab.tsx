import * as React from 'react';

import type { JobRecord } from '../api/types';
import { Button } from '../components/buttons';
import { useModel, useTicks, WatchingWidget } from '../components/panel';
import { ProgressBar } from '../components/progress';
import { showDuration } from '../components/quantities';
import { Failure, LiveLine, Notice, Skeleton } from '../components/states';
import { jobsIcon } from '../components/icons';
import type { IJobActions } from './actions';
import { Checkpoints } from './checkpoints';
import type { JobModel } from './jobmodel';
import type { LiveSocket } from '../api/live';
import { Log } from './log';
import { VerdictLine } from './notexact';
import { LOCAL, placeText } from './places';
import { Record } from './record';
import { RowReason } from './row';
import { JobState } from './state';
import { pointsText } from './sweepwords';
import { SweepPart } from './sweep';
import { Timeline } from './timeline';
import { AskedAndUsed } from './usage';
import {
  hasEnded,
  hasNotebook,
  isActive,
  parameterText,
  progressText,
  remedy,
  share,
  valuesText
} from './words';

interface IJobProps {
  model: JobModel;
  live: LiveSocket;
  actions: IJobActions;
  /** Back to the list, where the job is shown in its place. */
  onBack?: () => void;
}

/** One job with all that is known of it. */
export function Job(props: IJobProps): React.ReactElement {
  const { model, actions } = props;
  useModel(model);
  const { job, details } = model;
  useTicks(job !== null && isActive(job));
  return (
    <article className="jp-Mlinfn-jobTab" aria-label="Job">
      {props.onBack && <Button onClick={props.onBack}>‹ All jobs</Button>}
      <LiveLine live={props.live} topic="jobs" />
      {model.gone && (
        <Notice title="This job was deleted">
          <p>Its results folder was kept unless you removed it too.</p>
        </Notice>
      )}
      {!job && model.error && (
        <Failure
          error={model.error}
          what="The job could not be read"
          retry={() => void model.refresh()}
        />
      )}
      {!job && !model.error && <Skeleton lines={8} />}
      {job && !model.gone && (
        <>
          <Head
            job={job}
            actions={actions}
            releases={Boolean(details?.release)}
          />
          {details && <Timeline details={details} job={job} />}
          {details && (
            <VerdictLine
              details={details}
              onCompare={first => actions.compare(first, job.id)}
            />
          )}
          <Now job={job} />
          {details && !job.sweep && (
            <Checkpoints
              job={job}
              details={details}
              onContinue={() => actions.continueFrom(job)}
            />
          )}
          {job.sweep && model.points ? (
            <SweepPart
              job={job}
              counts={job.sweep}
              model={model.points}
              actions={actions}
              saveCsv={() => actions.savePoints(job)}
            />
          ) : (
            <Log model={model} />
          )}
          {details && (
            <>
              <AskedAndUsed job={job} details={details} actions={actions} />
              <Record details={details} job={job} />
            </>
          )}
        </>
      )}
    </article>
  );
}

function Head(props: {
  job: JobRecord;
  actions: IJobActions;
  /** Whether it is held and can be let go from here. */
  releases: boolean;
}): React.ReactElement {
  const { job, actions } = props;
  const ended = hasEnded(job);
  const button = (label: string, run: () => void, enabled = true) => (
    <Button disabled={!enabled} onClick={run}>
      {label}
    </Button>
  );
  return (
    <div className="jp-Mlinfn-jobHead">
      <h2>
        {job.name} <span className="jp-Mlinfn-hint">{job.id}</span>
      </h2>
      <p className="jp-Mlinfn-jobFacts">
        <JobState job={job} />
        <span className="jp-Mlinfn-numbers">{progressText(job)}</span>
        {job.backend !== LOCAL && (
          <span className="jp-Mlinfn-hint">{placeText(job)}</span>
        )}
      </p>
      {Object.keys(job.parameters).length > 0 && (
        <p>
          <code>{parameterText(job.parameters)}</code>
        </p>
      )}
      <RowReason
        job={job}
        actions={actions}
        withButton={
          !['kernel', 'points', 'release'].includes(remedy(job)?.action ?? '')
        }
      />
      <div className="jp-Mlinfn-actions">
        {hasNotebook(job) &&
          !job.sweep &&
          button('Open notebook', () => actions.openNotebook(job))}
        {job.output && button('Open output', () => actions.openOutput(job))}
        {props.releases && button('Release…', () => actions.release(job))}
        {!ended &&
          button(
            job.cancelling ? 'Cancelling…' : 'Cancel',
            () => actions.cancel(job),
            !job.cancelling
          )}
        {ended &&
          button(
            job.sweep ? `Rerun all ${pointsText(job.sweep)}` : 'Rerun',
            () => actions.rerun(job)
          )}
        {ended && button('Rerun exactly', () => actions.rerunExactly(job))}
        {button('Compare with…', () => actions.compare(job.id))}
        {button('Edit and rerun…', () => actions.edit(job))}
        {ended && button('Open a kernel here', () => actions.openKernel(job))}
        {ended && !job.sweep && button('Share…', () => actions.share(job))}
        {ended && button('Delete…', () => actions.remove(job))}
      </div>
    </div>
  );
}

/** How far it is: cells, recorded values, the last line. */
function Now({ job }: { job: JobRecord }): React.ReactElement | null {
  const { progress } = job;
  const done = share(job);
  if (!progress || hasEnded(job)) {
    return null;
  }
  const values = valuesText(progress.values);
  return (
    <section aria-label="Progress">
      <h3>Progress</h3>
      {done !== null && (
        <ProgressBar share={done} label="Cells of the notebook done" />
      )}
      <p>
        {progress.cells_done} of {progress.cells_total} cells done
        {values && `; ${values}`}
      </p>
      <p className="jp-Mlinfn-hint">
        Time limit {showDuration(job.resources.time)}
      </p>
    </section>
  );
}

/** A job in the main area. */
export class JobWidget extends WatchingWidget {
  constructor(private readonly _props: IJobProps) {
    super(_props.model);
    const { model } = _props;
    this.id = `mlinfn-job-${model.id}`;
    this.title.icon = jobsIcon;
    this.title.closable = true;
    this.title.label = `Job ${model.id}`;
    model.stateChanged.connect(this._onChange, this);
  }

  get jobId(): string {
    return this._props.model.id;
  }

  dispose(): void {
    if (!this.isDisposed) {
      super.dispose();
      this._props.model.dispose();
    }
  }

  protected render(): React.ReactElement {
    return <Job {...this._props} />;
  }

  private _onChange(): void {
    const { job } = this._props.model;
    if (job) {
      this.title.label = job.name;
      this.title.caption = `${job.name}: ${job.state}`;
    }
  }
}
