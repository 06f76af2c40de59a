import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Client } from '../api/client';
import type { JobRecord } from '../api/types';
import { Field } from '../components/field';
import { showTime } from '../components/quantities';
import type { INamedJob } from './besidefields';
import { stateWord } from './words';

const PAUSE = 200;
const MOST = 6;

interface IChooserProps {
  label: string;
  client: Client;
  chosen: readonly INamedJob[];
  problem: string | null;
  onChange: (chosen: INamedJob[]) => void;
}

/** Jobs of one's own, found by typing and taken by a click or Enter. */
export function JobChooser(props: IChooserProps): React.ReactElement {
  const { client, chosen } = props;
  const [text, setText] = React.useState<string | null>(null);
  const [found, setFound] = React.useState<readonly JobRecord[]>([]);
  const [trouble, setTrouble] = React.useState('');
  React.useEffect(() => {
    if (text === null) {
      return;
    }
    let wanted = true;
    const search = async () => {
      try {
        const query = { search: text, order: 'groups', limit: MOST } as const;
        const page = await client.jobs(query);
        if (wanted) {
          setFound(page.jobs);
          setTrouble('');
        }
      } catch (error) {
        if (wanted) {
          setTrouble((error as Error).message);
        }
      }
    };
    const timer = window.setTimeout(() => void search(), text ? PAUSE : 0);
    return () => {
      wanted = false;
      window.clearTimeout(timer);
    };
  }, [client, text]);
  const offered = found.filter(job => !chosen.some(one => one.id === job.id));
  const add = (job: JobRecord) => {
    props.onChange([...chosen, { id: job.id, name: job.name }]);
    setText('');
  };
  return (
    <Field
      label={props.label}
      problem={props.problem ?? (trouble || null)}
      hint="Your jobs; what goes on comes first."
    >
      {(id, describedBy) => (
        <div className="jp-Mlinfn-choices">
          {chosen.length > 0 && (
            <ul className="jp-Mlinfn-chips" aria-label="Chosen jobs">
              {chosen.map(job => (
                <Chip
                  key={job.id}
                  job={job}
                  onRemove={() =>
                    props.onChange(chosen.filter(one => one.id !== job.id))
                  }
                />
              ))}
            </ul>
          )}
          <input
            id={id}
            type="search"
            className="jp-Mlinfn-input"
            placeholder="Search id, name, notebook or parameters"
            aria-describedby={describedBy}
            value={text ?? ''}
            onFocus={() => setText(text ?? '')}
            onChange={event => setText(event.target.value)}
            onKeyDown={event => {
              if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
                event.preventDefault(); // it takes a job and does not submit
                if (text && offered.length > 0) {
                  add(offered[0]);
                }
              }
            }}
          />
          {text !== null && (
            <ul className="jp-Mlinfn-jobChoices" aria-label="Jobs found">
              {offered.map(job => (
                <li key={job.id}>
                  <button type="button" onClick={() => add(job)}>
                    <span>{job.name}</span>
                    <span className="jp-Mlinfn-hint">
                      {stateWord(job)} · {job.id} · {showTime(job.submitted_at)}
                    </span>
                  </button>
                </li>
              ))}
            </ul>
          )}
        </div>
      )}
    </Field>
  );
}

function Chip(props: {
  job: INamedJob;
  onRemove: () => void;
}): React.ReactElement {
  const { job } = props;
  return (
    <li className="jp-Mlinfn-chip" title={job.id}>
      {job.name} <span className="jp-Mlinfn-hint">{job.id}</span>
      <button
        type="button"
        className="jp-Mlinfn-iconButton"
        title={`Do not wait for ${job.name}`}
        aria-label={`Do not wait for ${job.name} (${job.id})`}
        onClick={props.onRemove}
      >
        <closeIcon.react tag="span" />
      </button>
    </li>
  );
}
