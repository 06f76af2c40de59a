/**
 * What is typed into the form of a recorded job, and the changes it means. Pure.
 */
import type {
  JobRecord,
  Parameter,
  RerunRequest,
  SubmitForm,
  Values
} from '../api/types';
import type { IFields } from './fields';
import { literalText, readFields } from './fields';
import { backendTitle, movedPlace } from './places';

/** The form of a recorded job whose notebook is not there any more. */
export function recordedForm(job: JobRecord): SubmitForm {
  const { name } = job.environment;
  return {
    source: job.source,
    defaults: recordedDefaults(job),
    remembered: true,
    parameters: [],
    has_parameters_cell: true,
    kernels: [{ name, display_name: name, language: '', problem: null }],
    backends: [
      {
        name: job.backend,
        title: backendTitle(job.backend),
        missing: '',
        queues: [],
        limits: job.resources,
        shares_folder: true,
        gpu_shapes: [],
        offloads: false
      }
    ],
    limits: job.resources,
    last_used: job.usage,
    secrets: [],
    saved_at: null
  };
}

/** What a recorded job asked for, as the defaults of a form. */
export function recordedDefaults(job: JobRecord): SubmitForm['defaults'] {
  return {
    source: job.source,
    name: job.name,
    parameters: job.parameters,
    raw_parameters: {},
    environment: job.environment.name,
    resources: job.resources,
    backend: job.backend,
    queue: job.queue,
    charge: job.charge,
    create_parameters_cell: false,
    try_first: false,
    cell: null,
    inputs: [],
    outputs: [],
    evictable: job.evictable,
    seed: null,
    after: [],
    after_ok: [],
    retries: job.retries,
    retry_on: job.retry_on,
    notify: [],
    secrets: [],
    offload: job.offload,
    sweep: null
  };
}

/** What changed against a recorded job: its own code runs again with these values. */
export function readRerun(
  form: SubmitForm,
  fields: IFields,
  job: JobRecord
): RerunRequest {
  const { request } = readFields(form, fields);
  const kinds = new Map(form.parameters.map(one => [one.name, one.kind]));
  const typed: Record<string, string> = { ...request.raw_parameters };
  const parameters: Values = {};
  for (const [name, value] of Object.entries(job.parameters)) {
    const text = typed[name] ?? fields.values[name];
    parameters[name] =
      text === undefined || text === literalText(value)
        ? value
        : literalValue(text, kinds.get(name));
    delete typed[name];
  }
  for (const [name, text] of Object.entries(typed)) {
    parameters[name] = literalValue(text, kinds.get(name));
  }
  return {
    parameters: parameters as RerunRequest['parameters'],
    environment: fields.environment || null,
    resources: request.resources,
    seed: request.seed,
    ...movedPlace(form, fields, job)
  };
}

/** The value that a text means: Python's constants, numbers, JSON; else the text itself. */
export function literalValue(text: string, kind?: Parameter['kind']): unknown {
  if (kind === 'str') {
    return text;
  }
  const constants: Values = { True: true, False: false, None: null };
  if (text in constants) {
    return constants[text];
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
