/**
 * What is asked of a job beside its run, as typed, and what that means. Pure.
 */
import type { JobRequest } from '../api/types';

/** A job that is named in the form. */
export interface INamedJob {
  id: string;
  name: string;
}

export interface IBesideFields {
  /** The jobs it comes after. */
  after: readonly INamedJob[];
  /** They must have succeeded. */
  afterOk: boolean;
  lab: boolean;
  mail: boolean;
  url: string;
  /** Names of the settings' secrets. */
  secrets: readonly string[];
}

export const NOTHING_BESIDE: IBesideFields = {
  after: [],
  afterOk: true,
  lab: false,
  mail: false,
  url: '',
  secrets: []
};

type Beside = Pick<JobRequest, 'after' | 'after_ok' | 'notify' | 'secrets'>;

/** The wishes of a request. */
export function readBeside(fields: IBesideFields): Beside {
  const named = fields.after.map(job => job.id);
  const url = fields.url.trim();
  return {
    after: fields.afterOk ? [] : named,
    after_ok: fields.afterOk ? named : [],
    notify: [
      ...(fields.lab ? ['lab'] : []),
      ...(fields.mail ? ['mail'] : []),
      ...(url ? [url] : [])
    ],
    secrets: [...fields.secrets]
  };
}

/** Whether anything is asked. */
export function isBeside(fields: IBesideFields): boolean {
  return Object.values(readBeside(fields)).some(one => one && one.length > 0);
}
