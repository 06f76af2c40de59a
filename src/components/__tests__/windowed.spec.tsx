import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import { offsetsOf, Windowed, windowOf } from '../windowed';

it('knows where each line begins', () => {
  expect(offsetsOf([])).toEqual([0]);
  expect(offsetsOf([10, 20, 5])).toEqual([0, 10, 30, 35]);
});

it('draws the lines in sight, whatever their heights', () => {
  const offsets = offsetsOf([10, 20, 5, 100, 10]);
  expect(windowOf(offsets, 0, 10)).toEqual([0, 1]);
  expect(windowOf(offsets, 10, 31)).toEqual([1, 3]);
  expect(windowOf(offsets, 34, 36)).toEqual([2, 4]);
  expect(windowOf(offsets, -50, 1000)).toEqual([0, 5]);
  expect(windowOf(offsets, 1000, 2000)).toEqual([5, 5]);
  expect(windowOf([0], 0, 100)).toEqual([0, 0]);
});

function drawn(pinned: string | null): string[] {
  const items = Array.from({ length: 5000 }, (_, index) => `line${index}`);
  const html = renderToStaticMarkup(
    <Windowed
      items={items}
      keyOf={item => item}
      estimate={50}
      pinned={pinned}
      draw={item => <p>{item}</p>}
    />
  );
  expect(html).toContain('height:');
  return [...html.matchAll(/<p>(\w+)<\/p>/g)].map(found => found[1]);
}

it('keeps the line with the focus in the page', () => {
  expect(drawn(null)).toHaveLength(26);
  expect(drawn('line4000')[26]).toBe('line4000');
  expect(drawn('line4')).toHaveLength(26);
});
