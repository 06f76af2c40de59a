import * as React from 'react';

import type { JobRecord, SweepCounts } from '../api/types';
import { Button } from '../components/buttons';
import { useModel } from '../components/panel';
import { count } from '../components/quantities';
import { Skeleton } from '../components/states';
import type { IJobActions } from './actions';
import { costOfPoints, costText, HELD } from './cost';
import type { PointsModel } from './pointsmodel';
import { SweepBar } from './sweepbar';
import { SweepPlot } from './sweepplot';
import { SweepPoint } from './sweeppoint';
import { SweepTable } from './sweeptable';
import { hasEnded, hasNotebook } from './words';

interface ISweepProps {
  job: JobRecord;
  counts: SweepCounts;
  model: PointsModel;
  /** Absent where it can be looked at only: it is somebody else's. */
  actions?: IJobActions;
  saveCsv: () => void;
}

/** The points of a sweep: how many are where, what they gave, and one looked at closer. */
export function SweepPart(props: ISweepProps): React.ReactElement {
  const { actions, counts, job, model } = props;
  useModel(model);
  const { opened } = model;
  const missed = counts.points - counts.succeeded;
  return (
    <section aria-label="Sweep">
      <h3>Points</h3>
      <SweepBar counts={counts} />
      {model.all.some(point => point.started_at) && (
        <>
          <p className="jp-Mlinfn-numbers">
            {hasEnded(job) ? 'It cost ' : 'So far it cost '}
            {costText(costOfPoints(job, model.all))}.
          </p>
          <p className="jp-Mlinfn-hint">{HELD}</p>
        </>
      )}
      {actions && missed > 0 && missed < counts.points && hasEnded(job) && (
        <Button onClick={() => actions.rerunPoints(job, 'failed')}>
          Rerun only the {count(missed, 'point')} that did not succeed
        </Button>
      )}
      {model.points === null && !model.error ? (
        <Skeleton lines={6} />
      ) : (
        <>
          <SweepPlot model={model} />
          <SweepTable
            model={model}
            saveCsv={props.saveCsv}
            openNotebook={
              actions && hasNotebook(job)
                ? point => actions.openNotebook(job, point.index)
                : undefined
            }
          />
        </>
      )}
      {opened && (
        <SweepPoint
          job={job}
          point={opened}
          client={model.client}
          actions={actions}
          onClose={() => model.open(null)}
        />
      )}
    </section>
  );
}
