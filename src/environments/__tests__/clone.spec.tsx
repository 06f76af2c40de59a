import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import type { Environment } from '../../api/types';
import { Clone } from '../clone';
import { TaskModel } from '../taskmodel';
import { environment, image, server } from './fixtures';

const LOCK = image().lock;

function draw(source: Environment): string {
  const { model } = server();
  return renderToStaticMarkup(
    <Clone
      model={new TaskModel(model)}
      environments={model}
      source={source}
      onClose={() => undefined}
      next={() => []}
    />
  );
}

describe('the dialog to clone', () => {
  it('offers a layer over the packed file, and says what it needs', () => {
    const packed = { name: 'ml-gpu', digest: LOCK, images: [image()] };
    const html = draw(environment({ kind: 'managed', ...packed }));
    expect(html).toContain('As a layer over the packed file of ml-gpu');
    expect(html).toContain('it runs together with that file');
    expect(html).toMatch(/checked="" *\/?><span>With files of its own/);
  });

  it('does not offer it where nothing is packed as it is now', () => {
    const old = image({ lock: 'sha256:older' });
    for (const images of [[], [old]]) {
      const html = draw(environment({ kind: 'managed', digest: LOCK, images }));
      expect(html).not.toContain('As a layer');
    }
  });
});
