import type { INotebookContent } from '@jupyterlab/nbformat';

import { joinLines } from '../multiline';

const FILE = {
  nbformat: 4,
  nbformat_minor: 5,
  metadata: {},
  cells: [
    { cell_type: 'markdown', source: ['# Title\n', 'text'], metadata: {} },
    {
      cell_type: 'code',
      source: ['a = 1\n', 'a'],
      metadata: {},
      execution_count: 1,
      outputs: [
        { output_type: 'stream', name: 'stdout', text: ['1\n', '2\n'] },
        {
          output_type: 'display_data',
          metadata: {},
          data: {
            'text/html': ['<b>\n', 'x</b>'],
            'application/json': ['a', 'b'],
            'application/vnd.vega.v5+json': ['c']
          }
        },
        { output_type: 'error', ename: 'E', evalue: '', traceback: ['x', 'y'] }
      ]
    }
  ]
} as unknown as INotebookContent;

test('texts are joined, JSON and tracebacks stay lists', () => {
  const [markdown, code] = joinLines(FILE).cells;
  expect(markdown.source).toBe('# Title\ntext');
  expect(markdown).not.toHaveProperty('outputs');
  expect(code.source).toBe('a = 1\na');
  const [stream, display, error] = code.outputs as Record<string, unknown>[];
  expect(stream.text).toBe('1\n2\n');
  expect(display.data).toEqual({
    'text/html': '<b>\nx</b>',
    'application/json': ['a', 'b'],
    'application/vnd.vega.v5+json': ['c']
  });
  expect(error.traceback).toEqual(['x', 'y']);
});
