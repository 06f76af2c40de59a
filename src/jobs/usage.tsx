import * as React from 'react';

import type { JobDetails, JobRecord } from '../api/types';
import { Button } from '../components/buttons';
import { showBytes, showDuration, showTime } from '../components/quantities';
import type { IJobActions } from './actions';
import { adviceFor, costOf, costText, HELD, heldSeconds } from './cost';
import { amendmentText } from './releasefields';
import { hasEnded } from './words';

interface IUsageProps {
  job: JobRecord;
  details: JobDetails;
  actions: IJobActions;
}

/** What was asked and used, what it cost, and what to ask next time. */
export function AskedAndUsed(props: IUsageProps): React.ReactElement {
  const { actions, details, job } = props;
  const { resources, usage } = job;
  const { attempts } = details;
  const ran = attempts.length
    ? heldSeconds(attempts.slice(-1))
    : job.started_at && job.ended_at
      ? (Date.parse(job.ended_at) - Date.parse(job.started_at)) / 1000
      : 0;
  const advice = adviceFor(job, attempts);
  const kind = [
    resources.gpu_model,
    resources.gpu_memory && `${showBytes(resources.gpu_memory)} each`
  ].filter(Boolean);
  const rows = [
    [
      'CPUs',
      String(resources.cpus),
      usage.cpu_seconds
        ? `${showDuration(usage.cpu_seconds)} of CPU time${job.sweep ? ' in all points, with the start of their kernels' : ''}`
        : ''
    ],
    [
      'Memory',
      showBytes(resources.memory),
      usage.peak_memory ? `${showBytes(usage.peak_memory)} at most` : ''
    ],
    ['GPUs', [String(resources.gpus), ...kind].join(' · '), ''],
    [
      'Time',
      showDuration(resources.time),
      ran && !job.sweep ? showDuration(ran) : ''
    ]
  ];
  return (
    <section>
      <h3>Asked and used{job.sweep ? ', for one point' : ''}</h3>
      <table className="jp-Mlinfn-table">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Asked</th>
            <th scope="col">Used</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([what, asked, used]) => (
            <tr key={what}>
              <th scope="row">{what}</th>
              <td>{asked}</td>
              <td>{used || '–'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {details.amendments.map(one => (
        <p key={one.at} className="jp-Mlinfn-numbers" title={one.why?.text}>
          Changed while it was held, {showTime(one.at)}: {amendmentText(one)}.
        </p>
      ))}
      {attempts.some(one => one.started_at) && !job.sweep && (
        <p className="jp-Mlinfn-numbers" title={HELD}>
          {hasEnded(job) ? 'It cost ' : 'So far it cost '}
          {costText(costOf(job, attempts))}.
        </p>
      )}
      {advice && (
        <div className="jp-Mlinfn-advice">
          {advice.sentences.map(sentence => (
            <p key={sentence}>{sentence}</p>
          ))}
          <Button onClick={() => actions.rerun(job, advice.resources)}>
            Rerun so
          </Button>
        </div>
      )}
    </section>
  );
}
