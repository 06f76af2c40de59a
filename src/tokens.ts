import { Token } from '@lumino/coreutils';

import type { Client } from './api/client';
import type { LiveSocket } from './api/live';

/** The connection to the server part, shared by all panels. */
export interface IServerPart {
  readonly client: Client;
  readonly live: LiveSocket;
}

export const IServerPart = new Token<IServerPart>(
  'jupyter_mlinfn:IServerPart',
  'The REST client and the one live connection to the server part.'
);

/** What other panels may ask of the jobs. */
export interface IJobs {
  /** Open the submit form with this environment chosen. */
  submitWith(environment: string): Promise<void>;
  /** Show a job. */
  open(id: string): void;
}

export const IJobs = new Token<IJobs>(
  'jupyter_mlinfn:IJobs',
  'Submitting and showing jobs.'
);
