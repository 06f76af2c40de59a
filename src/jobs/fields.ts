/**
 * What is typed into the submit form, and the request it means. Pure.
 */
import type {
  JobRecord,
  JobRequest,
  Parameter,
  Problem,
  RerunRequest,
  Resources,
  SubmitForm,
  Values
} from '../api/types';
import {
  parseBytes,
  parseDuration,
  showBytes,
  showDuration
} from '../components/quantities';
import { backendTitle, movedPlace, placeFields, readPlace } from './places';

/** A parameter the notebook's cell does not have. */
export interface IExtra {
  name: string;
  value: string;
}

/** Everything as typed. */
export interface IFields {
  name: string;
  values: Record<string, string>;
  extras: readonly IExtra[];
  createCell: boolean;
  environment: string;
  cpus: string;
  memory: string;
  gpus: string;
  time: string;
  backend: string;
  /** Empty: the back-end's default. */
  queue: string;
  charge: string;
  inputs: string;
  outputs: string;
  evictable: boolean;
}

/** A value as one would write it in the notebook. */
export function literalText(value: unknown): string {
  if (value === true) {
    return 'True';
  }
  if (value === false) {
    return 'False';
  }
  if (value === null || value === undefined) {
    return 'None';
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What the notebook itself says for a parameter. */
export function defaultText(parameter: Parameter): string {
  return parameter.kind === 'expression' ||
    (parameter.default === null && parameter.kind !== 'none')
    ? parameter.source
    : literalText(parameter.default);
}

/** The form filled with what was used last, or with the notebook's own values. */
export function initialFields(form: SubmitForm): IFields {
  const { defaults } = form;
  const known = new Set(form.parameters.map(parameter => parameter.name));
  const used: Record<string, string> = { ...defaults.raw_parameters };
  for (const [name, value] of Object.entries(defaults.parameters)) {
    used[name] = literalText(value);
  }
  const values: Record<string, string> = {};
  for (const parameter of form.parameters) {
    values[parameter.name] = used[parameter.name] ?? defaultText(parameter);
  }
  return {
    name: defaults.name ?? '',
    values,
    extras: Object.entries(used)
      .filter(([name]) => !known.has(name))
      .map(([name, value]) => ({ name, value })),
    createCell: !form.has_parameters_cell,
    environment: defaults.environment ?? form.kernels[0]?.name ?? '',
    ...resourceFields(defaults.resources),
    ...placeFields(form),
    inputs: defaults.inputs.join('\n'),
    outputs: defaults.outputs.join('\n'),
    evictable: defaults.evictable
  };
}

export function resourceFields(resources: Resources) {
  return {
    cpus: String(resources.cpus),
    memory: showBytes(resources.memory),
    gpus: String(resources.gpus),
    time: showDuration(resources.time)
  };
}

/** A request, and what is wrong with what was typed; both at once. */
export interface IReading {
  request: JobRequest;
  problems: Problem[];
}

/** Read the form. Values that were not touched are left out: the notebook's own count. */
export function readFields(form: SubmitForm, fields: IFields): IReading {
  const problems: Problem[] = [];
  const raw = changedValues(form.parameters, fields.values);
  for (const { name, value } of fields.extras) {
    if (!name.trim() && !value.trim()) {
      continue;
    }
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name.trim())) {
      problems.push({
        code: 'bad-parameter-name',
        field: 'extras',
        text: `'${name}' is no name for a parameter. Letters, digits and _ only.`,
        hint: null
      });
    }
    raw[name.trim()] = value;
  }
  const resources = readResources(fields, form.limits, problems);
  return {
    problems,
    request: {
      source: form.source,
      name: fields.name.trim() || null,
      raw_parameters: raw,
      environment: fields.environment || null,
      resources,
      ...readPlace(fields),
      create_parameters_cell: !form.has_parameters_cell && fields.createCell,
      inputs: lines(fields.inputs),
      outputs: lines(fields.outputs),
      evictable: fields.evictable
    }
  };
}

function changedValues(
  parameters: readonly Parameter[],
  values: Record<string, string>
): Record<string, string> {
  const raw: Record<string, string> = {};
  for (const parameter of parameters) {
    const value = values[parameter.name];
    if (value !== undefined && value !== defaultText(parameter)) {
      raw[parameter.name] = value;
    }
  }
  return raw;
}

function readResources(
  fields: IFields,
  limits: Resources,
  problems: Problem[]
): Resources {
  const read = <K extends keyof Resources>(
    field: K,
    value: number | null,
    text: string
  ): number => {
    if (value === null) {
      problems.push({ code: `bad-${field}`, field, text, hint: null });
    }
    return value ?? limits[field];
  };
  return {
    cpus: read(
      'cpus',
      whole(fields.cpus, 1),
      'CPUs: a whole number from 1 on.'
    ),
    memory: read(
      'memory',
      parseBytes(fields.memory),
      `'${fields.memory}' is no amount of memory. Write for example 4 GiB.`
    ),
    gpus: read(
      'gpus',
      whole(fields.gpus, 0),
      'GPUs: a whole number from 0 on.'
    ),
    time: read(
      'time',
      parseDuration(fields.time),
      `'${fields.time}' is no time. Write for example 8 h or 90 min.`
    )
  };
}

function whole(text: string, least: number): number | null {
  const number = /^\d{1,6}$/.test(text.trim()) ? Number(text) : NaN;
  return number >= least ? number : null;
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '');
}

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
        shares_folder: true
      }
    ],
    limits: job.resources,
    last_used: job.usage,
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
    charge: null,
    create_parameters_cell: false,
    try_first: false,
    cell: null,
    inputs: [],
    outputs: [],
    evictable: job.evictable
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

/** The problem that belongs to a field of the form. */
export function problemOf(
  problems: readonly Problem[],
  field: string
): string | null {
  const found = problems.find(
    problem =>
      problem.field === field || problem.field?.split('.').pop() === field
  );
  return found?.text ?? null;
}
