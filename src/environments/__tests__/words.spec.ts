import { differenceText } from '../diff';
import { alteration } from '../alter';
import { amountText, taskShare } from '../../components/taskwords';
import {
  byManager,
  changeText,
  costText,
  cudaText,
  groups,
  interpreterText,
  nameProblem,
  packagesText,
  requirementName,
  sizeText,
  stateText,
  suggestName,
  usersText,
  versionText
} from '../words';
import { change, environment, own } from './fixtures';

const added = (name: string) => ({
  name,
  before: null,
  after: '1.0 py_0',
  manager: 'conda' as const
});

it('groups in the order mine, managed, found, without empty groups', () => {
  const found = groups([environment(), own()], '');
  expect(found.map(group => group.title)).toEqual(['Mine', 'Found']);
});

it('searches names, kernels and packages', () => {
  expect(groups([environment()], 'NUMPY')).toHaveLength(1);
  expect(groups([environment()], 'torch')).toHaveLength(0);
});

it('says interpreter, packages and size with units', () => {
  expect(interpreterText(environment())).toBe('Python 3.11.7 · venv');
  expect(
    interpreterText(environment({ source: 'kernel', language: 'R' }))
  ).toBe('R');
  expect(interpreterText(own())).toBe('Python 3.11.7');
  expect(packagesText(environment())).toBe('numpy 2.3 · 12 packages');
  expect(sizeText(environment(), false)).toBe('1.0 GiB · 18,123 files');
});

it('names three packages, not more', () => {
  const telling = ['a', 'b', 'c', 'd'].map(name => ({
    name,
    version: '1',
    source: 'conda' as const,
    build: null
  }));
  expect(packagesText(environment({ telling }))).toBe(
    'a 1 · b 1 · c 1 · 12 packages'
  );
});

it('tells a size that is being counted from one that is not known', () => {
  const one = environment({ size: null, files: null });
  expect(sizeText(one, true)).toBe('size is being counted…');
  expect(sizeText(one, false)).toBe('size not known');
});

it('says kernel, lock and image in words', () => {
  expect(stateText(own())).toBe('kernel off · locked ✓');
  expect(stateText(own({ kernels: ['mlinfn-mine'], packed: true }))).toBe(
    'kernel on · locked ✓ · packed ✓'
  );
  expect(stateText(own({ kind: 'managed' }))).toBe('locked ✓');
  const bare = own({ kind: 'managed', digest: null });
  expect(stateText(bare)).toBe('not locked');
  expect(stateText({ ...bare, inventoried: 'sha256:1' })).toBe(
    'inventoried, not locked'
  );
  expect(stateText(environment({ kernels: [] }))).toBe('no kernel here');
});

it('speaks of CUDA only where it does not fit', () => {
  const cuda = { text: 'It needs CUDA 12.8; the driver has 12.4.', need: null };
  expect(cudaText(own({ cuda: { ...cuda, state: 'not-compatible' } }))).toBe(
    cuda.text
  );
  expect(cudaText(own({ cuda: { ...cuda, state: 'compatible' } }))).toBe('');
  expect(cudaText(own())).toBe('');
});

it('says who uses it', () => {
  expect(usersText(own({ used_by_kernels: 2, used_by_jobs: 1 }))).toBe(
    '2 kernels and 1 job'
  );
  expect(usersText(own())).toBe('');
});

describe('names', () => {
  it.each(['a', 'A9._-', 'x'.repeat(64)])('takes %s', name => {
    expect(nameProblem(name, [])).toBeNull();
  });

  it.each(['-a', '.a', 'a/b', '..', 'a b', 'x'.repeat(65), 'а', 'a\n', 'é'])(
    'says the rule for %j',
    name => {
      expect(nameProblem(name, [])).toContain('letters (a to z)');
    }
  );

  it('says that one has it already, or that it is a word of ours', () => {
    expect(nameProblem('ml', ['ml'])).toContain('already');
    expect(nameProblem('gc', [])).toContain("'my-gc'");
    expect(nameProblem('', [])).toBe('Give it a name.');
  });

  it('suggests a free one that the rule allows', () => {
    const managed = environment({ kind: 'managed', name: 'ml-gpu' });
    expect(suggestName(managed, [])).toBe('my-ml-gpu');
    expect(suggestName(managed, ['my-ml-gpu'])).toBe('my-ml-gpu-2');
    expect(suggestName(own({ name: 'ml-2' }), ['ml', 'ml-2'])).toBe('ml-3');
    for (const name of ['Analyse Ä/β', '☃', 'x'.repeat(64), '-.-']) {
      const suggested = suggestName(environment({ name }), []);
      expect(nameProblem(suggested, [])).toBeNull();
    }
  });
});

describe('what changes', () => {
  it('counts only what there is', () => {
    expect(changeText(change({ added: [added('a')] }))).toBe(
      '1 package would be added.'
    );
    expect(
      changeText(
        change({ added: [added('a'), added('b')], removed: [added('c')] })
      )
    ).toBe('2 packages would be added, 1 removed.');
    expect(changeText(change())).toContain('No package');
  });

  it('tells cost with units, and nothing that is not known', () => {
    expect(costText(change())).toBe('');
    expect(costText(change({ download: 0, size: 2048, files: 1 }))).toBe(
      'Nothing has to be downloaded. Afterwards about 2.0 KiB in 1 file.'
    );
    expect(costText(change({ download: 2 ** 20 }))).toBe('Download: 1.0 MiB.');
  });

  it('shows builds only where the version stays', () => {
    const one = { ...added('a'), before: '1.0 py_0', after: '1.1 py_0' };
    expect(versionText(one)).toBe('1.0 → 1.1');
    expect(versionText({ ...one, after: '1.0 cuda_0' })).toBe(
      '1.0 py_0 → 1.0 cuda_0'
    );
    expect(versionText(added('a'))).toBe('1.0');
  });

  it('compares in a sentence', () => {
    const two = { left: 'a', right: 'b', platform: 'linux-64' };
    expect(differenceText({ ...two, change: change() })).toContain('same');
    expect(
      differenceText({ ...two, change: change({ added: [added('x')] }) })
    ).toBe('Compared with a, b has 1 package more.');
  });
});

it('says how far, with units, and nothing that is not known', () => {
  const event = {
    at: '2026-11-21T08:00:00Z',
    phase: 'linking' as const,
    text: 'numpy',
    done: 1200,
    total: 2400,
    unit: 'files' as const
  };
  expect(amountText(event)).toBe('1,200 of 2,400 files');
  expect(amountText({ ...event, unit: 'bytes' })).toBe('1.2 KiB of 2.3 KiB');
  expect(amountText({ ...event, total: 0 })).toBe('');
  expect(taskShare(event)).toBe(0.5);
  expect(taskShare({ ...event, total: 0 })).toBeNull();
  expect(taskShare(null)).toBeNull();
});

it('tells pip packages from conda packages', () => {
  expect(byManager(['numpy>=2', 'pip: rich'])).toEqual({
    conda: ['numpy>=2'],
    pip: ['rich']
  });
  expect(requirementName('NumPy >=2')).toBe('numpy');
  expect(requirementName('torch[cuda]')).toBe('torch');
});

it('asks for nothing while no package is chosen', () => {
  expect(alteration('add', 'ml', [], false)).toBeNull();
  expect(alteration('update', 'ml', [], true)).toMatchObject({
    update_all: true
  });
  expect(alteration('add', 'ml', ['a', 'pip:b'], false)).toMatchObject({
    add: ['a'],
    add_pip: ['b']
  });
  expect(alteration('remove', 'ml', ['a'], false)).toMatchObject({
    remove: ['a']
  });
});
