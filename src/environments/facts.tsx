import * as React from 'react';

import type { Environment } from '../api/types';
import { showTime } from '../components/quantities';
import { usersText } from './words';

/** What a row has no room for. */
export function Facts({ one }: { one: Environment }): React.ReactElement {
  const facts: [string, string | null][] = [
    ['where', one.prefix],
    ['kernel', one.kernels.join(', ') || null],
    ['in use', usersText(one) || null],
    ['lock', one.digest],
    ['inventory (not locked)', one.inventoried],
    ['cloned from', one.origin],
    ['made by', one.made_by],
    ['made', one.made_at && showTime(one.made_at)],
    ['last used', one.last_used && showTime(one.last_used)],
    ['CUDA', one.cuda && one.cuda.text],
    ...one.images.map((image): [string, string] => ['packed', image.path])
  ];
  return (
    <dl className="jp-Mlinfn-facts jp-mod-short">
      {facts
        .filter(([, value]) => value)
        .map(([name, value]) => (
          <React.Fragment key={`${name} ${value}`}>
            <dt>{name}</dt>
            <dd>
              <span className="jp-Mlinfn-fact">{value}</span>
            </dd>
          </React.Fragment>
        ))}
    </dl>
  );
}
