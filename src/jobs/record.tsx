import { copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Attempt, JobDetails, JobRecord, Values } from '../api/types';
import { showBytes, showTime } from '../components/quantities';
import { literalText } from './fields';
import { exactFacts } from './notexact';
import { placeText } from './places';

interface IRecordProps {
  job: JobRecord;
  details: JobDetails;
}

const NEWEST = 200;

/** What was asked and used, what was recorded, and every start. */
export function Record(props: IRecordProps): React.ReactElement {
  return (
    <>
      <RecordedValues values={props.details.values} />
      <Exact {...props} />
      {props.details.attempts.length > 1 && (
        <Attempts attempts={props.details.attempts} />
      )}
    </>
  );
}

/** One line of `mlinfn.record(…)`: when, and what. */
export function recordedRow(line: Values): { at: string; values: Values } {
  const at = typeof line.at === 'string' ? showTime(line.at) : '';
  return { at, values: (line.values ?? {}) as Values };
}

function RecordedValues(props: {
  values: readonly Values[];
}): React.ReactElement | null {
  const { values } = props;
  if (!values.length) {
    return null;
  }
  const rows = values.slice(-NEWEST).map(recordedRow);
  const names = [...new Set(rows.flatMap(row => Object.keys(row.values)))];
  return (
    <section>
      <h3>Recorded values</h3>
      <div
        className="jp-Mlinfn-scroll"
        tabIndex={0}
        role="region"
        aria-label="Recorded values"
      >
        <table className="jp-Mlinfn-table">
          <thead>
            <tr>
              <th scope="col">at</th>
              {names.map(name => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => (
              <tr key={index}>
                <td>{row.at}</td>
                {names.map(name => (
                  <td key={name}>
                    {name in row.values ? literalText(row.values[name]) : ''}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Exact({ details, job }: IRecordProps): React.ReactElement {
  const { spec } = details;
  const facts: [string, string | null][] = [
    ['Job', job.id],
    ['Notebook', spec.source],
    ['Folder', spec.workdir],
    ['Results', spec.output_folder],
    ['Environment', spec.environment.name],
    ['Environment’s digest', spec.environment.digest],
    ['Interpreter', spec.environment.prefix],
    ['Place', placeText(job)],
    ['Charged to', spec.charge],
    [spec.exact ? 'Run again exactly of' : 'Run again of', spec.rerun_of],
    ['Starts after', spec.after.join(', ')],
    ['Starts after the success of', spec.after_ok.join(', ')],
    ['Tells', spec.notify.join(', ')],
    ['Secrets', spec.secrets.join(', ')],
    ...exactFacts(details)
  ];
  return (
    <details className="jp-Mlinfn-advanced" open>
      <summary>Exact record</summary>
      <dl className="jp-Mlinfn-facts">
        {Object.entries(spec.parameters).map(([name, value]) => (
          <Fact key={`p-${name}`} name={name} value={literalText(value)} />
        ))}
        {facts.map(
          ([name, value]) =>
            value && <Fact key={name} name={name} value={value} />
        )}
        {spec.files.map(file => (
          <Fact
            key={`f-${file.role}-${file.path}`}
            name={`${file.path} (${file.role}, ${showBytes(file.size)})`}
            value={file.sha256 ? `sha256:${file.sha256}` : 'size and time only'}
          />
        ))}
      </dl>
    </details>
  );
}

/** A name and a value that can be copied. */
function Fact(props: { name: string; value: string }): React.ReactElement {
  const [copied, setCopied] = React.useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(props.value);
    setCopied(true);
    window.setTimeout(() => setCopied(false), 1500);
  };
  return (
    <>
      <dt>{props.name}</dt>
      <dd>
        <code title={props.value}>{props.value}</code>
        <button
          className="jp-Mlinfn-iconButton"
          title={copied ? 'Copied' : `Copy ${props.name}`}
          aria-label={copied ? 'Copied' : `Copy ${props.name}`}
          onClick={() => void copy()}
        >
          {copied ? '✓' : <copyIcon.react tag="span" />}
        </button>
      </dd>
    </>
  );
}

function Attempts(props: { attempts: readonly Attempt[] }): React.ReactElement {
  return (
    <section>
      <h3>Starts</h3>
      <div
        className="jp-Mlinfn-scroll"
        tabIndex={0}
        role="region"
        aria-label="Starts"
      >
        <table className="jp-Mlinfn-table">
          <thead>
            <tr>
              <th scope="col">#</th>
              <th scope="col">Where</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th scope="col">How it ended</th>
            </tr>
          </thead>
          <tbody>
            {props.attempts.map(attempt => (
              <tr key={attempt.number}>
                <td>{attempt.number}</td>
                <td>{attempt.host ?? '–'}</td>
                <td>
                  {attempt.started_at ? showTime(attempt.started_at) : '–'}
                </td>
                <td>{attempt.ended_at ? showTime(attempt.ended_at) : '–'}</td>
                <td>{attempt.reason?.text ?? attempt.state}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
