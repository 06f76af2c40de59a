import * as React from 'react';

import type { Change, PackageChange } from '../api/types';
import { changeText, costText, versionText } from './words';

const SHOWN = 200;

/** What an action would change: packages with versions, download, size and files afterwards. */
export function ChangeView(props: {
  change: Change;
  /** False where it is told of what was, as in a comparison. */
  withSummary?: boolean;
}): React.ReactElement {
  const { change } = props;
  const cost = costText(change);
  return (
    <div>
      {props.withSummary !== false && (
        <>
          <p className="jp-Mlinfn-lead">{changeText(change)}</p>
          {cost && <p className="jp-Mlinfn-numbers">{cost}</p>}
          {change.note && <p>{change.note}</p>}
        </>
      )}
      <Packages title="Added" mark="+" packages={change.added} />
      <Packages title="Changed" mark="~" packages={change.changed} />
      <Packages title="Removed" mark="−" packages={change.removed} />
    </div>
  );
}

function Packages(props: {
  title: string;
  mark: string;
  packages: readonly PackageChange[];
}): React.ReactElement | null {
  const { title, packages } = props;
  if (!packages.length) {
    return null;
  }
  return (
    <section aria-label={title}>
      <h3 className="jp-Mlinfn-changeTitle">
        {title} <span className="jp-Mlinfn-hint">{packages.length}</span>
      </h3>
      <ul className="jp-Mlinfn-preview" tabIndex={0} aria-label={title}>
        {packages.slice(0, SHOWN).map(one => (
          <li key={`${one.manager} ${one.name}`}>
            <span>
              <span aria-hidden="true" className="jp-Mlinfn-mark">
                {props.mark}
              </span>
              {one.name}
              {one.manager === 'pip' && (
                <span className="jp-Mlinfn-hint"> pip</span>
              )}
            </span>
            <span className="jp-Mlinfn-numbers jp-Mlinfn-hint">
              {versionText(one)}
            </span>
          </li>
        ))}
      </ul>
      {packages.length > SHOWN && <p>and {packages.length - SHOWN} more.</p>}
    </section>
  );
}
