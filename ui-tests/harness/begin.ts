import * as fs from 'fs';

import { CHECKOUT, IMAGES, LOOKS } from './paths';

/** Before all tests: a name for what this run makes, and somewhere for its pictures. */
export default function begin(): void {
  process.env.MLINFN_UI_RUN = String(process.pid);
  fs.rmSync(LOOKS, { recursive: true, force: true });
  fs.mkdirSync(LOOKS, { recursive: true });
  fs.mkdirSync(IMAGES, { recursive: true });
  if (!fs.existsSync(`${CHECKOUT}/.venv/bin/jupyter`)) {
    throw new Error("There is no .venv with JupyterLab. Run 'make install'.");
  }
}
