import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import type { Client } from '../../api/client';
import type { ReleaseOffer } from '../../api/types';
import { Release } from '../release';
import { readRelease, releaseFields } from '../releasefields';
import { remedy } from '../words';
import { job } from './fixtures';

const GIB = 1024 ** 3;
const HELD: ReleaseOffer = {
  amends: ['memory', 'time', 'cpus', 'disk'],
  asks: { cpus: 2, memory: 2 * GIB, time: 3600, disk: null },
  cause: 'memory',
  used: 3 * GIB
};

describe('letting a held job go', () => {
  const held = job({
    reason: { code: 'held', text: 'It used more memory than it asked for.' }
  });

  it('offers more of what it is held for, and leaves the rest', () => {
    const fields = releaseFields(HELD);
    expect(fields).toEqual({
      memory: '5.0 GiB',
      time: '1 h',
      cpus: '2',
      disk: ''
    });
    expect(readRelease(HELD, fields)).toEqual({
      request: { memory: 5 * GIB },
      problems: []
    });
  });

  it('names every amount that cannot be read', () => {
    const typed = { memory: 'much', time: '-1', cpus: '0', disk: '1' };
    const { problems } = readRelease(HELD, typed);
    expect(problems.map(one => one.field)).toEqual(
      expect.arrayContaining(['memory', 'time', 'cpus'])
    );
  });

  it('says why it is held, and what it had used', () => {
    const nothing = () => undefined;
    const html = renderToStaticMarkup(
      <Release
        client={{} as Client}
        job={held}
        offer={HELD}
        onDone={nothing}
        onCancel={nothing}
      />
    );
    expect(html).toContain('It used more memory than it asked for.');
    expect(html).toContain('Now 2.0 GiB; it had used 3.0 GiB.');
    expect(html).toContain('Disk');
  });

  it('is the one thing that helps, until it has ended', () => {
    expect(remedy(held)?.action).toBe('release');
    expect(remedy({ ...held, state: 'cancelled' })).toBeNull();
    expect(remedy({ ...held, state: 'failed' })?.action).not.toBe('release');
  });
});
