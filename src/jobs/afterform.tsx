import * as React from 'react';

import type { Problem } from '../api/types';
import { TextField } from '../components/field';
import type { IBesideFields } from './besidefields';
import { isBeside } from './besidefields';
import { JobChooser } from './jobchooser';
import type { IPartProps } from './parts';

/** What comes before the job, who hears of its end, and the secrets it needs. */
export function AfterForm({
  model,
  form,
  fields
}: IPartProps): React.ReactElement | null {
  const { beside } = fields;
  if (model.options.rerunOf && model.asRecorded) {
    return null;
  }
  const change = (changes: Partial<IBesideFields>) =>
    model.change({ beside: { ...beside, ...changes } });
  const check = (name: 'afterOk' | 'lab' | 'mail', label: string) => (
    <label className="jp-Mlinfn-check">
      <input
        type="checkbox"
        checked={beside[name]}
        onChange={event => change({ [name]: event.target.checked })}
      />
      {label}
    </label>
  );
  return (
    <details
      className="jp-Mlinfn-advanced"
      open={isBeside(beside) || undefined}
    >
      <summary>Before and after</summary>
      <JobChooser
        label="Start after these jobs"
        client={model.client}
        chosen={beside.after}
        problem={problemBelow(model.problems, 'after', 'after_ok')}
        onChange={after => change({ after })}
      />
      {beside.after.length > 0 &&
        check('afterOk', 'Only if they have succeeded')}
      {check('lab', 'Tell me here when it has ended')}
      {check('mail', 'Tell me by e-mail')}
      <TextField
        label="Tell this web address"
        value={beside.url}
        hint="It gets the job’s public record as JSON."
        problem={problemBelow(model.problems, 'notify')}
        onChange={url => change({ url })}
      />
      <Secrets
        declared={form.secrets}
        chosen={beside.secrets}
        problem={problemBelow(model.problems, 'secrets')}
        onChange={secrets => change({ secrets })}
      />
    </details>
  );
}

/** The secrets that the settings declare, to choose from. */
function Secrets(props: {
  declared: readonly string[];
  chosen: readonly string[];
  problem: string | null;
  onChange: (names: string[]) => void;
}): React.ReactElement {
  const { chosen, problem } = props;
  const names = [...new Set([...props.declared, ...chosen])];
  const below = names.length
    ? 'The job finds each as a file; no record holds it.'
    : 'Your settings declare none (the setting ‘secrets’).';
  return (
    <div className="jp-Mlinfn-field" role="group" aria-label="Secrets it needs">
      <span>Secrets it needs</span>
      <div className="jp-Mlinfn-choices">
        {names.map(name => (
          <label key={name} className="jp-Mlinfn-check">
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={event =>
                props.onChange(
                  event.target.checked
                    ? [...chosen, name]
                    : chosen.filter(one => one !== name)
                )
              }
            />
            {name}
          </label>
        ))}
      </div>
      <p className={problem ? 'jp-Mlinfn-problem' : 'jp-Mlinfn-hint'}>
        {problem ?? below}
      </p>
    </div>
  );
}

function problemBelow(
  problems: readonly Problem[],
  ...names: readonly string[]
): string | null {
  const found = problems.find(one =>
    names.includes(one.field?.split('.')[0] ?? '')
  );
  return found?.text ?? null;
}
