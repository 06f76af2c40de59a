import * as React from 'react';

import type { Client } from '../api/client';
import type { CleanupPlan, CleanupRequest } from '../api/types';
import { Button } from '../components/buttons';
import { count, showAge, showBytes } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';

const DAY = 86_400;
const AGES = [
  { label: 'any time ago', seconds: 0 },
  { label: 'more than a day ago', seconds: DAY },
  { label: 'more than a week ago', seconds: 7 * DAY },
  { label: 'more than 30 days ago', seconds: 30 * DAY },
  { label: 'more than 90 days ago', seconds: 90 * DAY }
];
const SHOWN = 200;

interface ICleanupProps {
  client: Client;
  onDone: (plan: CleanupPlan) => void;
  onCancel: () => void;
}

/** Remove old jobs; shows what would go before anything goes. */
export function Cleanup(props: ICleanupProps): React.ReactElement {
  const { client } = props;
  const [age, setAge] = React.useState(30 * DAY);
  const [outputs, setOutputs] = React.useState(false);
  const [plan, setPlan] = React.useState<CleanupPlan | null>(null);
  const [error, setError] = React.useState<Error | null>(null);
  const [busy, setBusy] = React.useState(false);
  const request = React.useCallback(
    (dryRun: boolean): CleanupRequest => ({
      older_than: age,
      states: ['succeeded', 'failed', 'cancelled'],
      outputs,
      dry_run: dryRun
    }),
    [age, outputs]
  );
  const look = React.useCallback(() => {
    let wanted = true;
    setPlan(null);
    setError(null);
    client.cleanup(request(true)).then(
      found => wanted && setPlan(found),
      failure => wanted && setError(failure as Error)
    );
    return () => {
      wanted = false;
    };
  }, [client, request]);
  React.useEffect(look, [look]);
  const remove = async () => {
    setBusy(true);
    try {
      props.onDone(await client.cleanup(request(false)));
    } catch (failure) {
      setError(failure as Error);
      setBusy(false);
    }
  };
  return (
    <section className="jp-Mlinfn-submit">
      <header className="jp-Mlinfn-headerLine">
        <h2>Clean up old jobs</h2>
      </header>
      <div className="jp-Mlinfn-submitBody">
        <label className="jp-Mlinfn-check">
          Jobs that ended
          <select
            className="jp-Mlinfn-select"
            value={age}
            onChange={event => setAge(Number(event.target.value))}
          >
            {AGES.map(({ label, seconds }) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label className="jp-Mlinfn-check">
          <input
            type="checkbox"
            checked={outputs}
            onChange={event => setOutputs(event.target.checked)}
          />
          Remove their output folders too
        </label>
        {error ? (
          <Failure
            error={error}
            what="The clean-up could not be prepared"
            retry={look}
          />
        ) : (
          <Preview plan={plan} outputs={outputs} />
        )}
      </div>
      <footer className="jp-Mlinfn-buttons">
        <Button onClick={props.onCancel}>Close</Button>
        <Button
          kind="warn"
          disabled={busy || !plan?.items.length}
          onClick={() => void remove()}
        >
          {plan?.items.length
            ? `Remove ${count(plan.items.length, 'job')} (${showBytes(plan.size)})`
            : 'Remove'}
        </Button>
      </footer>
    </section>
  );
}

function Preview(props: {
  plan: CleanupPlan | null;
  outputs: boolean;
}): React.ReactElement {
  const { plan, outputs } = props;
  if (!plan) {
    return <Skeleton lines={4} />;
  }
  if (!plan.items.length) {
    return <p>No job ended that long ago. Nothing would be removed.</p>;
  }
  return (
    <>
      <p>
        {outputs
          ? 'These records, logs and output folders would be removed. This cannot be undone.'
          : 'These records and logs would be removed. The output folders stay.'}
      </p>
      <ul className="jp-Mlinfn-preview">
        {plan.items.slice(0, SHOWN).map(item => (
          <li key={item.id}>
            <span>{item.name}</span>
            <span className="jp-Mlinfn-hint">
              {item.ended_at ? showAge(item.ended_at) : ''} ·{' '}
              {showBytes(item.size)}
            </span>
            {outputs && item.output_folder && (
              <code className="jp-Mlinfn-path">{item.output_folder}</code>
            )}
          </li>
        ))}
      </ul>
      {plan.items.length > SHOWN && (
        <p>and {plan.items.length - SHOWN} more.</p>
      )}
    </>
  );
}
