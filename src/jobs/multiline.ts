import type {
  ICell,
  IMimeBundle,
  INotebookContent,
  IOutput
} from '@jupyterlab/nbformat';
import { isDisplayData, isExecuteResult, isStream } from '@jupyterlab/nbformat';

/**
 * A notebook's file holds texts as lists of lines; JupyterLab expects them joined, as its own
 * contents service gives them (a stream's list of lines would be shown with empty lines between).
 */
export function joinLines(notebook: INotebookContent): INotebookContent {
  return {
    ...notebook,
    cells: notebook.cells.map(cell => ({
      ...cell,
      source: joined(cell.source),
      ...(Array.isArray(cell.outputs)
        ? { outputs: (cell.outputs as IOutput[]).map(joinOutput) }
        : {})
    })) as ICell[]
  };
}

function joinOutput(output: IOutput): IOutput {
  if (isStream(output)) {
    return { ...output, text: joined(output.text) };
  }
  if (isDisplayData(output) || isExecuteResult(output)) {
    return { ...output, data: joinBundle(output.data) };
  }
  return output;
}

/** JSON types keep their lists: there they are data. */
function joinBundle(data: IMimeBundle): IMimeBundle {
  const entries = Object.entries(data).map(([type, value]) => [
    type,
    /[/+]json$/.test(type) ? value : joined(value)
  ]);
  return Object.fromEntries(entries) as IMimeBundle;
}

function joined<T>(value: T): T | string {
  return Array.isArray(value) ? value.join('') : value;
}
