/** What a notebook is made of. */

export interface INotebookOptions {
  /** The first cell is the parameters. */
  parameters?: boolean;
  kernel?: string;
}

/** A notebook of code cells, as JupyterLab saves it. */
export function notebookOf(
  cells: readonly string[],
  { parameters = false, kernel = 'python3' }: INotebookOptions = {}
): object {
  return {
    cells: cells.map((source, index) => ({
      cell_type: 'code',
      id: `cell-${index}`,
      metadata: parameters && index === 0 ? { tags: ['parameters'] } : {},
      execution_count: null,
      outputs: [],
      source
    })),
    metadata: {
      kernelspec: { name: kernel, display_name: kernel, language: 'python' },
      language_info: { name: 'python' }
    },
    nbformat: 4,
    nbformat_minor: 5
  };
}
