import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import { ApiProblem, NoServerPart } from '../../api/client';
import type { Environment, Task } from '../../api/types';
import type { IEnvironmentActions } from '../actions';
import { canClone, canUse, hasImageKernel, jobEnvironment } from '../actions';
import { ChangeView } from '../changeview';
import { Environments } from '../panel';
import { Refusal } from '../refusal';
import { change, ended, environment, own, server, task } from './fixtures';

const actions = new Proxy(
  {},
  { get: (_, name) => (name === 'hasJobs' ? true : () => undefined) }
) as unknown as IEnvironmentActions;

function draw(environments: Environment[], ...tasks: Task[]): string {
  const house = server();
  house.environments.splice(0, 2, ...environments);
  house.model.watch();
  house.full(...tasks);
  return markup(house.model);
}

function markup(model: ReturnType<typeof server>['model']): string {
  return renderToStaticMarkup(<Environments model={model} actions={actions} />);
}

describe('the environments panel', () => {
  it('shows grey lines until the first answer', () => {
    expect(markup(server().model)).toContain('jp-Mlinfn-skeleton');
  });

  it('says what an environment is and how to begin when there is none', () => {
    const html = draw([]);
    expect(html).toContain('No environment yet');
    expect(html).toContain('New environment…');
  });

  it('says what happened, with Retry and Details', async () => {
    const { model } = server({
      environments: async () => {
        throw new ApiProblem(503, 'unavailable', 'The disk is silent.');
      }
    });
    await model.refresh();
    const html = markup(model);
    expect(html).toContain('The disk is silent.');
    expect(html).toContain('Retry');
    expect(html).toContain('HTTP 503, unavailable');
  });

  it('is calm where there is no server part', async () => {
    const { model } = server({
      environments: async () => {
        throw new NoServerPart();
      }
    });
    await model.refresh();
    expect(markup(model)).toContain('There is no server part here');
  });

  it('shows the way to the first own one beside those that are there', () => {
    const html = draw([environment()]);
    expect(html).toContain('None yet.');
    expect(draw([own()])).not.toContain('None yet.');
  });

  it('says name, Python, packages, size, kernel and lock of a row', () => {
    const html = draw([own({ kernels: ['mlinfn-mine'], packed: true })]);
    for (const text of [
      'mine',
      'Python 3.11.7',
      'numpy 2.3 · 12 packages',
      '1.0 GiB · 18,123 files',
      'kernel on · locked ✓ · packed ✓'
    ]) {
      expect(html).toContain(text);
    }
  });

  it('says in words that CUDA does not fit', () => {
    const text = 'It needs CUDA 12.8; the driver has 12.4.';
    const cuda = { state: 'not-compatible' as const, text, need: '12.8' };
    expect(draw([own({ cuda })])).toContain(text);
  });

  it('shows phase, package and Cancel in the row while it works', () => {
    const event = {
      at: '2026-11-21T08:00:01Z',
      phase: 'linking' as const,
      text: 'numpy 2.3.5',
      done: 3,
      total: 12,
      unit: 'packages' as const
    };
    const html = draw([own()], task({ event }));
    expect(html).toContain('Installing');
    expect(html).toContain('numpy 2.3.5');
    expect(html).toContain('3 of 12 packages');
    expect(html).toContain('aria-valuenow="25"');
    expect(html).toContain('Cancel');
  });

  it('shows what could not be made, why, and what to do', () => {
    const failed = ended(
      task({ action: 'create', name: 'new' }),
      'failed',
      'The disk is full.'
    );
    failed.result?.problems.push({
      code: 'disk-full',
      text: 'The disk is full.',
      field: null,
      hint: 'Make room and try again.'
    });
    const html = draw([environment()], failed);
    expect(html).toContain('new');
    expect(html).toContain('The disk is full. Make room and try again.');
  });

  it('makes one row of all groups reachable by Tab, the others by arrows', () => {
    const html = draw([own(), environment(), environment({ prefix: '/b' })]);
    expect(html.match(/role="row"[^>]*tabindex="0"/g)).toHaveLength(1);
    expect(html.match(/role="row"/g)).toHaveLength(3);
  });

  it('writes names as text, never as HTML', () => {
    const html = draw([environment({ name: '<img src=x>' })]);
    expect(html).not.toContain('<img');
  });

  it('has the actions that fit the kind', () => {
    expect(draw([own()])).toContain('Add packages to mine…');
    expect(draw([environment()])).not.toContain('Add packages to');
    expect(draw([environment()])).not.toContain('Clone ml…');
    expect(draw([environment({ kind: 'managed' })])).toContain('Clone ml…');
    expect(canClone(environment({ source: 'conda' }))).toBe(true);
    expect(canUse(environment({ kernels: [] }))).toBe(false);
    expect(canUse(own({ problem: 'Its files are gone.' }))).toBe(false);
    expect(jobEnvironment(own())).toBe('mine');
    const kernels = ['by-hand', 'mlinfn-mine', 'mlinfn-mine-image'];
    const both = own({ kernels, kernel: 'mlinfn-mine' });
    expect(jobEnvironment(both)).toBe('mlinfn-mine');
    expect(hasImageKernel(both)).toBe(true);
    expect(hasImageKernel(own({ kernels: ['mlinfn-mine'] }))).toBe(false);
    expect(jobEnvironment(environment())).toBe('python3');
  });
});

it('lists what changes with versions, and which manager', () => {
  const html = renderToStaticMarkup(
    <ChangeView
      change={change({
        added: [{ name: 'rich', before: null, after: '14.0', manager: 'pip' }],
        changed: [
          { name: 'numpy', before: '2.3 a', after: '2.4 a', manager: 'conda' }
        ],
        note: 'Linked: no copy is made.'
      })}
    />
  );
  expect(html).toContain('1 package would be added, 1 changed.');
  expect(html).toContain('2.3 → 2.4');
  expect(html).toContain(' pip');
  expect(html).toContain('Linked: no copy is made.');
  expect(html).not.toContain('Removed');
});

it('says what to do after a refusal, and folds the rest', () => {
  const problem = {
    code: 'unknown-package',
    text: "No package is called 'nmpy'.",
    field: 'add',
    hint: 'Did you mean numpy?'
  };
  const html = renderToStaticMarkup(
    <Refusal text={problem.text} problems={[problem]} code={problem.code} />
  );
  expect(html).toContain('Did you mean numpy?');
  expect(html).toContain('<summary>Details</summary>');
  expect(html.match(/<li>/g)).toBeNull();
});
