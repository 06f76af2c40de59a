import * as React from 'react';

import type { JobDetails, JobRecord, Problem } from '../api/types';
import { Button } from '../components/buttons';
import { openDialog } from '../components/dialog';

/** Say what differs, where, and what would be needed; offer a rerun that is not exact. */
export function showNotExact(
  job: JobRecord,
  problems: readonly Problem[],
  rerun: () => void
): void {
  void openDialog('It cannot be run again exactly', close => (
    <NotExact
      job={job}
      problems={problems}
      onClose={close}
      onRerun={() => {
        close();
        rerun();
      }}
    />
  ));
}

export function NotExact(props: {
  job: JobRecord;
  problems: readonly Problem[];
  onClose: () => void;
  onRerun: () => void;
}): React.ReactElement {
  return (
    <section className="jp-Mlinfn-submit">
      <header className="jp-Mlinfn-headerLine">
        <h2>{props.job.name} cannot be run again exactly</h2>
      </header>
      <div className="jp-Mlinfn-submitBody jp-Mlinfn-taskBody">
        <p>Nothing was submitted. What is not as it was:</p>
        <ul className="jp-Mlinfn-notExact">
          {props.problems.map((problem, index) => (
            <li key={index}>
              <p>{problem.text}</p>
              {problem.hint && <p className="jp-Mlinfn-hint">{problem.hint}</p>}
            </li>
          ))}
        </ul>
      </div>
      <footer className="jp-Mlinfn-buttons">
        <Button onClick={props.onRerun}>Rerun with what is there now</Button>
        <Button kind="accept" onClick={props.onClose}>
          Close
        </Button>
      </footer>
    </section>
  );
}

/** Whether an exact rerun gave what the first run gave. */
export function VerdictLine(props: {
  details: JobDetails;
  onCompare?: (first: string) => void;
}): React.ReactElement | null {
  const { verdict } = props.details;
  if (!verdict) {
    return null;
  }
  const mark = verdict.same === null ? '?' : verdict.same ? '=' : '≠';
  return (
    <p className="jp-Mlinfn-diffVerdict" data-same={String(verdict.same)}>
      <span aria-hidden="true">{mark}</span> {verdict.text}{' '}
      <span className="jp-Mlinfn-hint">Compared with job {verdict.first}.</span>{' '}
      {props.onCompare && (
        <button
          className="jp-Mlinfn-link"
          onClick={() => props.onCompare?.(verdict.first)}
        >
          Show the comparison
        </button>
      )}
    </p>
  );
}

/** Seed, commit, machine and fingerprint, as facts that can be copied. */
export function exactFacts(details: JobDetails): [string, string | null][] {
  const { spec, fingerprint, attempts } = details;
  const { git } = spec;
  const node = attempts[attempts.length - 1]?.node;
  const changed = git?.dirty
    ? `, changed since${git.diff_file ? ' (changes kept in the bundle)' : ''}`
    : '';
  const machine = node && [
    node.cpu,
    ...node.gpu_models,
    node.driver && `driver ${node.driver}`,
    node.kernel
  ];
  return [
    ['Fingerprint', fingerprint.all],
    ['Seed', spec.seed === null ? null : String(spec.seed)],
    ['Commit', git?.commit ?? null],
    ['Branch', git?.branch ? `${git.branch}${changed}` : null],
    [
      'Changes since the commit',
      git?.diff_sha256 ? `sha256:${git.diff_sha256}` : null
    ],
    ['About the repository', git?.note ?? null],
    ['Machine', machine ? machine.filter(Boolean).join(', ') : null],
    ['Image', spec.environment.image_digest]
  ];
}
