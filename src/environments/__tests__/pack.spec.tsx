import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import { baseOf } from '../base';
import { choices, Pack, wishOf } from '../pack';
import { TaskModel } from '../taskmodel';
import { environment, image, own, server } from './fixtures';

const LOCK = image().lock;

const managed = environment({
  name: 'ml-gpu',
  kind: 'managed',
  digest: LOCK,
  images: [image({ format: 'sif', path: '/images/a.sif' }), image()]
});
const mine = own({ origin: `ml-gpu@${LOCK}` });

describe('what a layer can lie over', () => {
  it('is the packed file of what an environment was cloned from', () => {
    expect(baseOf(mine, [mine, managed])).toEqual({
      name: 'ml-gpu',
      image: image()
    });
  });

  it('is not what is not packed, a layer, an older state, or nothing', () => {
    for (const images of [
      [],
      [image({ base: { path: '/images/b.sqfs', digest: LOCK } })],
      [image({ lock: 'sha256:older' })]
    ]) {
      expect(baseOf(mine, [mine, { ...managed, images }])).toBeNull();
    }
    expect(baseOf(own(), [managed])).toBeNull();
    expect(baseOf(mine, [environment({ name: 'ml-gpu' })])).toBeNull();
  });

  it('is one’s own environment of that name before a managed one', () => {
    const other = own({ name: 'ml-gpu', images: [] });
    expect(baseOf(mine, [managed, other])).toBeNull();
  });
});

describe('the dialog to pack', () => {
  it('offers a layer and a container only where they can be had', () => {
    const base = baseOf(mine, [managed]);
    const ways = (...given: Parameters<typeof choices>) =>
      choices(...given).map(one => one.way);
    expect(ways(null, false)).toEqual(['squashfs', 'sif']);
    expect(ways(base, true)).toEqual(['squashfs', 'layer', 'sif', 'container']);
  });

  it('asks the server for what was chosen', () => {
    const base = baseOf(mine, [managed]);
    expect(wishOf('layer', base)).toEqual({
      format: 'squashfs',
      over: 'ml-gpu'
    });
    expect(wishOf('container', base)).toEqual({
      format: 'sif',
      container: true
    });
    expect(wishOf('sif', base)).toEqual({ format: 'sif' });
  });

  it('tells megabytes from gigabytes, and what is needed to run it', async () => {
    const house = server();
    house.environments.splice(0, 2, mine, managed);
    await house.model.refresh();
    const html = renderToStaticMarkup(
      <Pack
        model={new TaskModel(house.model)}
        environments={house.model}
        environment={mine}
        onClose={() => undefined}
      />
    );
    expect(html).toContain('Only what differs from ml-gpu');
    expect(html).toContain('Megabytes where ml-gpu has 3.0 GiB');
    expect(html).toContain('the file of ml-gpu must be there too, unchanged');
  });
});
