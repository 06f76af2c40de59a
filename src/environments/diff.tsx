import * as React from 'react';

import type { Difference, Environment } from '../api/types';
import { Button } from '../components/buttons';
import { SelectField } from '../components/field';
import { count, showTime } from '../components/quantities';
import { Failure, Skeleton } from '../components/states';
import { useAnswer } from './asked';
import { ChangeView } from './changeview';
import type { EnvironmentsModel } from './model';
import { shortDigest } from './words';

/** What is other in this environment than in another one, or than it was before. */
export function Diff(props: {
  environments: EnvironmentsModel;
  environment: Environment;
  onClose: () => void;
}): React.ReactElement {
  const { environments, environment } = props;
  const { name } = environment;
  const others = (environments.list?.environments ?? []).filter(
    one => one.kind !== 'found' && one.name !== name
  );
  const history = useAnswer(
    async () =>
      environment.kind === 'own'
        ? (await environments.client.environmentHistory(name)).states
        : [],
    [name]
  );
  const earlier = (history.answer ?? []).filter(state => !state.current);
  const choices = [
    ...earlier.map(state => ({
      value: `${name}@${shortDigest(state.digest)}`,
      label: `as it was at ${showTime(state.at)}: ${state.text}`
    })),
    ...others.map(one => ({ value: one.name, label: one.name }))
  ];
  const [chosen, setChosen] = React.useState('');
  const left = chosen || choices[0]?.value || '';
  return (
    <section className="jp-Mlinfn-submit">
      <header className="jp-Mlinfn-headerLine">
        <h2>Compare {name}</h2>
      </header>
      <div className="jp-Mlinfn-submitBody jp-Mlinfn-taskBody">
        {!history.answer && !history.error ? (
          <Skeleton lines={3} />
        ) : !choices.length ? (
          <p>
            There is nothing to compare it with yet: it has no earlier state,
            and there is no other environment with a lock.
          </p>
        ) : (
          <>
            <SelectField
              label="With"
              value={left}
              choices={choices}
              onChange={setChosen}
            />
            <Shown environments={environments} left={left} right={name} />
          </>
        )}
      </div>
      <footer className="jp-Mlinfn-buttons">
        <Button onClick={props.onClose}>Close</Button>
      </footer>
    </section>
  );
}

function Shown(props: {
  environments: EnvironmentsModel;
  left: string;
  right: string;
}): React.ReactElement {
  const { environments, left, right } = props;
  const { answer, error, again } = useAnswer(
    () => environments.client.difference(left, right),
    [left, right]
  );
  if (error) {
    return (
      <Failure
        error={error}
        what="The two could not be compared"
        retry={again}
      />
    );
  }
  if (!answer) {
    return <Skeleton lines={4} />;
  }
  return (
    <div aria-live="polite">
      <p className="jp-Mlinfn-lead">{differenceText(answer)}</p>
      <ChangeView change={answer.change} withSummary={false} />
    </div>
  );
}

/** `Compared with ml, ml-2 has 3 packages more, 1 package fewer.` */
export function differenceText({ left, right, change }: Difference): string {
  const { added, removed, changed } = change;
  if (!added.length && !removed.length && !changed.length) {
    return `${left} and ${right} have the same packages.`;
  }
  const parts = [
    added.length ? `${count(added.length, 'package')} more` : '',
    removed.length ? `${count(removed.length, 'package')} fewer` : '',
    changed.length
      ? `${count(changed.length, 'package')} in another version or build`
      : ''
  ].filter(Boolean);
  return `Compared with ${left}, ${right} has ${parts.join(', ')}.`;
}
