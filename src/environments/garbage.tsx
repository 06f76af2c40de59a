import * as React from 'react';

import type { GcPlan } from '../api/types';
import { count, showBytes } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import { useAnswer } from './asked';
import type { EnvironmentsModel } from './model';
import { showFiles } from './words';

const SHOWN = 200;

/** Remove what nobody uses any more; shows it before it goes, and what stays and why. */
export function Garbage(props: {
  environments: EnvironmentsModel;
  onDone: (plan: GcPlan) => void;
  onClose: () => void;
}): React.ReactElement {
  const { client } = props.environments;
  const { answer: plan, error, again } = useAnswer(() => client.garbage(), []);
  const [failure, setFailure] = React.useState<Error | null>(null);
  const [busy, setBusy] = React.useState(false);
  const remove = async () => {
    setBusy(true);
    try {
      props.onDone(await client.removeGarbage());
    } catch (problem) {
      setFailure(problem as Error);
      setBusy(false);
    }
  };
  const problem = error ?? failure;
  return (
    <section className="jp-Mlinfn-submit">
      <header className="jp-Mlinfn-headerLine">
        <h2>Free space</h2>
      </header>
      <div className="jp-Mlinfn-submitBody jp-Mlinfn-taskBody">
        {problem ? (
          <Failure
            error={problem}
            what="The space could not be freed"
            retry={() => {
              setFailure(null);
              again();
            }}
          />
        ) : plan ? (
          <Plan plan={plan} />
        ) : (
          <Skeleton lines={4} />
        )}
      </div>
      <footer className="jp-Mlinfn-buttons">
        <button className="jp-Mlinfn-button" onClick={props.onClose}>
          Close
        </button>
        <button
          className="jp-Mlinfn-button jp-mod-warn"
          disabled={busy || !plan?.items.length}
          onClick={() => void remove()}
        >
          {plan?.items.length ? `Free ${showBytes(plan.size)}` : 'Free'}
        </button>
      </footer>
    </section>
  );
}

function Plan({ plan }: { plan: GcPlan }): React.ReactElement {
  return (
    <>
      <p className="jp-Mlinfn-lead">
        {plan.items.length
          ? `${count(plan.items.length, 'thing')} that nobody uses would go: ${showBytes(plan.size)} in ${showFiles(plan.files)}.`
          : 'Everything here is in use. Nothing would be removed.'}
      </p>
      {plan.items.length > 0 && (
        <ul className="jp-Mlinfn-preview" tabIndex={0} aria-label="Would go">
          {plan.items.slice(0, SHOWN).map(item => (
            <li key={item.path} title={item.path}>
              <span>{item.name}</span>
              <span className="jp-Mlinfn-numbers jp-Mlinfn-hint">
                {showBytes(item.size)}
              </span>
            </li>
          ))}
        </ul>
      )}
      {plan.kept.length > 0 && (
        <details>
          <summary>{count(plan.kept.length, 'thing')} stay</summary>
          <ul>
            {plan.kept.slice(0, SHOWN).map(one => (
              <li key={one.name}>
                {one.name}: {one.why}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
