import * as React from 'react';

import type { GcPlan, TaskRequest } from '../api/types';
import { count, showBytes } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import { useAnswer } from './asked';
import { TaskDialog } from './taskdialog';
import type { TaskModel } from './taskmodel';
import { showFiles } from './words';

const SHOWN = 200;
const REQUEST: TaskRequest = { action: 'gc', name: '' };

/** Remove what nobody uses any more; shows it before it goes, and what stays and why. */
export function Garbage(props: {
  model: TaskModel;
  onClose: () => void;
}): React.ReactElement {
  const { client } = props.model.environments;
  const { answer: plan, error, again } = useAnswer(() => client.garbage(), []);
  return (
    <TaskDialog
      model={props.model}
      title="Free space"
      act={plan?.items.length ? `Free ${showBytes(plan.size)}` : 'Free'}
      direct
      request={() => (plan?.items.length ? REQUEST : null)}
      onClose={props.onClose}
      outcome={task =>
        task.result?.freed && <Plan plan={task.result.freed} title="Gone" />
      }
    >
      {error ? (
        <Failure
          error={error}
          what="What nobody uses could not be found out"
          retry={again}
        />
      ) : plan ? (
        <>
          <p className="jp-Mlinfn-lead">
            {plan.items.length
              ? `${count(plan.items.length, 'thing')} that nobody uses would go: ${showBytes(plan.size)} in ${showFiles(plan.files)}.`
              : 'Everything here is in use. Nothing would be removed.'}
          </p>
          <Plan plan={plan} title="Would go" />
        </>
      ) : (
        <Skeleton lines={4} />
      )}
    </TaskDialog>
  );
}

function Plan(props: { plan: GcPlan; title: string }): React.ReactElement {
  const { plan } = props;
  return (
    <>
      {plan.items.length > 0 && (
        <ul className="jp-Mlinfn-preview" tabIndex={0} aria-label={props.title}>
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
