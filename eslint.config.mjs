import js from '@eslint/js';
import jupyterPlugin from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      '.venv/**',
      '.venvs/**',
      '.build/**',
      '.yarn/**',
      'build/**',
      'coverage/**',
      'dist/**',
      'docs/**',
      'jupyter_mlinfn/**',
      'lib/**',
      'node_modules/**',
      'src/api/generated.ts',
      'tests/**',
      'ui-tests/node_modules/**',
      '**/*.js',
      '**/*.mjs',
      '**/*.d.ts'
    ]
  },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  { plugins: { jupyter: jupyterPlugin } },
  ...jupyterPlugin.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: { 'react-hooks': reactHooks },
    languageOptions: {
      parserOptions: {
        project: ['tsconfig.test.json', 'ui-tests/tsconfig.json']
      }
    },
    rules: {
      ...reactHooks.configs.recommended.rules,
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: 'interface',
          format: ['PascalCase'],
          custom: { regex: '^I[A-Z]', match: true }
        }
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { args: 'none' }],
      curly: ['error', 'all'],
      eqeqeq: 'error',
      // English only in this release; the texts are short and in one place each.
      'jupyter/no-untranslated-string': 'off',
      // All of it together is smaller than one chart library, which is loaded when needed.
      'jupyter/prefer-lazy-imports': 'off',
      // Jupyter's own way to keep command ids together.
      '@typescript-eslint/no-namespace': 'off',
      'prefer-arrow-callback': 'error'
    }
  },
  {
    // What a test makes dies with the test.
    files: ['**/__tests__/**'],
    rules: { 'jupyter/require-disposable-ownership': 'off' }
  },
  prettier
);
