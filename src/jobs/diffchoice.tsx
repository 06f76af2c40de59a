import * as React from 'react';

import type { JobRecord } from '../api/types';
import { showTime } from '../components/quantities';
import { Skeleton } from '../components/states';
import type { DiffModel } from './diffmodel';
import { choiceText } from './diffwords';
import { JobState } from './state';
import { parameterText } from './words';

const PAUSE = 200;

/** Choose the second job: the likeliest first, all others by a search on the server. */
export function Choose({ model }: { model: DiffModel }): React.ReactElement {
  const [text, setText] = React.useState(model.search);
  React.useEffect(() => {
    if (text === model.search) {
      return;
    }
    const timer = window.setTimeout(() => void model.find(text), PAUSE);
    return () => window.clearTimeout(timer);
  }, [text, model]);
  const { choices } = model;
  const first = model.record(model.a);
  return (
    <section aria-label="Choose a job to compare with">
      <h2>Compare {first?.name ?? model.a.id} with…</h2>
      <p className="jp-Mlinfn-hint">
        {model.a.id}
        {first && ` · submitted ${showTime(first.submitted_at)}`}
      </p>
      <input
        className="jp-Mlinfn-input jp-Mlinfn-diffSearch"
        type="search"
        placeholder="Search id, name, notebook or parameters"
        aria-label="Search jobs"
        value={text}
        onChange={event => setText(event.target.value)}
      />
      {choices === null ? (
        <Skeleton lines={6} />
      ) : (
        <>
          <p className="jp-Mlinfn-hint" role="status">
            {choiceText(choices.length, model.search)}
          </p>
          <ul className="jp-Mlinfn-diffChoices">
            {choices.map(job => (
              <Choice key={job.id} job={job} model={model} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function Choice(props: {
  job: JobRecord;
  model: DiffModel;
}): React.ReactElement {
  const { job, model } = props;
  const parameters = parameterText(job.parameters);
  const related = job.rerun_of === model.a.id ? 'runs it again' : '';
  return (
    <li>
      <button
        className="jp-Mlinfn-diffChoice"
        onClick={() => model.choose({ id: job.id, point: null })}
      >
        <span className="jp-Mlinfn-diffChoiceName">{job.name}</span>
        <JobState job={job} />
        <span className="jp-Mlinfn-hint">
          {[job.id, showTime(job.submitted_at), related]
            .filter(Boolean)
            .join(' · ')}
        </span>
        {parameters && <code>{parameters}</code>}
      </button>
    </li>
  );
}
