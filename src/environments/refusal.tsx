import * as React from 'react';

import { ApiProblem } from '../api/client';
import type { Problem } from '../api/types';

/** What happened, what to do, and the rest folded. */
export function Refusal(props: {
  text: string;
  problems: readonly Problem[];
  code?: string | null;
  /** True for what the person wanted. */
  calm?: boolean;
}): React.ReactElement {
  const { text, problems } = props;
  const others = problems.filter(one => !text.includes(one.text));
  const hints = hintsOf(problems).filter(hint => !text.includes(hint));
  return (
    <div className="jp-Mlinfn-refusal" role={props.calm ? undefined : 'alert'}>
      <p className={props.calm ? undefined : 'jp-Mlinfn-problem'}>{text}</p>
      {others.length > 0 && (
        <ul>
          {others.map(one => (
            <li key={one.text}>{one.text}</li>
          ))}
        </ul>
      )}
      {hints.map(hint => (
        <p key={hint}>{hint}</p>
      ))}
      {problems.length > 0 && (
        <details>
          <summary>Details</summary>
          <pre className="jp-Mlinfn-pre">
            {[
              props.code ?? '',
              ...problems.map(one => `${one.field ?? one.code}: ${one.text}`)
            ]
              .filter(Boolean)
              .join('\n')}
          </pre>
        </details>
      )}
    </div>
  );
}

/** What to do, each once. */
export function hintsOf(problems: readonly Problem[]): string[] {
  const hints = problems.map(one => one.hint ?? '').filter(Boolean);
  return [...new Set(hints)];
}

/** All that the server says is wrong. */
export function problemsOf(error: Error): readonly Problem[] {
  return error instanceof ApiProblem ? error.problems : [];
}
