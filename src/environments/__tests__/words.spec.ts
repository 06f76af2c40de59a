import type { Environment } from '../../api/types';
import { groups, interpreterText, packagesText, sizeText } from '../words';

function environment(changes: Partial<Environment> = {}): Environment {
  return {
    name: 'ml',
    kind: 'found',
    source: 'venv',
    language: 'python',
    python: '3.11.7',
    prefix: '/srv/ml',
    kernels: ['python3'],
    packages: 12,
    telling: [{ name: 'numpy', version: '2.3', source: 'pypi', build: null }],
    size: 2 ** 30,
    files: 18123,
    measured_at: null,
    problem: null,
    ...changes
  };
}

it('groups in the order mine, managed, found, without empty groups', () => {
  const found = groups(
    [environment(), environment({ kind: 'own', name: 'mine' })],
    ''
  );
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
  expect(packagesText(environment())).toBe('numpy 2.3 · 12 packages');
  expect(sizeText(environment(), false)).toBe('1.0 GiB · 18,123 files');
});

it('tells a size that is being counted from one that is not known', () => {
  const one = environment({ size: null, files: null });
  expect(sizeText(one, true)).toBe('size is being counted…');
  expect(sizeText(one, false)).toBe('size not known');
});
