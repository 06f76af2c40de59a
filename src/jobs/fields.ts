/**
 * What is typed into the submit form, and the request it means. Pure.
 */
import type {
  JobRequest,
  Parameter,
  Problem,
  Resources,
  SubmitForm
} from '../api/types';
import {
  parseBytes,
  parseDuration,
  showBytes,
  showDuration
} from '../components/quantities';
import type { IBesideFields } from './besidefields';
import { NOTHING_BESIDE, readBeside } from './besidefields';
import { offloads, placeFields, readPlace } from './places';
import type { ISweepFields } from './sweepfields';
import { readSweep, sweepFields, sweptNames } from './sweepfields';

const MAX_SEED = 2 ** 32 - 1;
const MAX_RETRIES = 20;

/** What a job is started again for where that is asked. */
export type RetryReason = SubmitForm['defaults']['retry_on'][number];

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
  /** Of each GPU at least; empty: however much it has. */
  gpuMemory: string;
  gpuModel: string;
  time: string;
  backend: string;
  /** Empty: the back-end's default. */
  queue: string;
  charge: string;
  inputs: string;
  outputs: string;
  evictable: boolean;
  /** It may run on machines elsewhere, where the place has such. */
  offload: boolean;
  /** Empty: none. */
  seed: string;
  /** How often it starts again. */
  retries: string;
  /** What it starts again for, besides the loss of its machine. */
  retryOn: readonly RetryReason[];
  sweep: ISweepFields;
  beside: IBesideFields;
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
    evictable: defaults.evictable,
    offload: defaults.offload,
    seed: defaults.seed === null ? '' : String(defaults.seed),
    retries: String(defaults.retries),
    retryOn: defaults.retry_on,
    sweep: sweepFields(defaults.sweep),
    beside: NOTHING_BESIDE
  };
}

export function resourceFields(resources: Resources) {
  return {
    cpus: String(resources.cpus),
    memory: showBytes(resources.memory),
    gpus: String(resources.gpus),
    gpuMemory: resources.gpu_memory ? showBytes(resources.gpu_memory) : '',
    gpuModel: resources.gpu_model ?? '',
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
  const sweep = readSweep(fields.sweep, problems);
  sweptNames(fields.sweep).forEach(name => delete raw[name]);
  const resources = readResources(fields, form.limits, problems);
  const retries = readRetries(fields, problems);
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
      evictable: fields.evictable,
      offload: fields.offload && offloads(form, fields),
      seed: readSeed(fields, problems),
      ...retries,
      ...readBeside(fields.beside),
      sweep
    }
  };
}

function readSeed(fields: IFields, problems: Problem[]): number | null {
  const typed = fields.seed.trim();
  if (typed === '') {
    return null;
  }
  const seed = /^\d{1,10}$/.test(typed) ? Number(typed) : NaN;
  if (seed <= MAX_SEED) {
    return seed;
  }
  problems.push({
    code: 'bad-seed',
    field: 'seed',
    text: `Seed: a whole number from 0 to ${MAX_SEED}.`,
    hint: null
  });
  return null;
}

function readRetries(
  fields: IFields,
  problems: Problem[]
): Pick<JobRequest, 'retries' | 'retry_on'> {
  const retries = whole(fields.retries || '0', 0);
  if (retries === null || retries > MAX_RETRIES) {
    problems.push({
      code: 'bad-retries',
      field: 'retries',
      text: `It can start again 0 to ${MAX_RETRIES} times.`,
      hint: null
    });
    return { retries: 0, retry_on: [] };
  }
  return { retries, retry_on: retries ? [...fields.retryOn] : [] };
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
  const read = <K extends 'cpus' | 'memory' | 'gpus' | 'time'>(
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
    ...readGpuKind(fields, problems),
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

function readGpuKind(
  fields: IFields,
  problems: Problem[]
): Pick<Resources, 'gpu_memory' | 'gpu_model'> {
  const typed = fields.gpuMemory.trim();
  const memory = typed ? parseBytes(typed) : null;
  if (typed && memory === null) {
    problems.push({
      code: 'bad-gpu_memory',
      field: 'gpu_memory',
      text: `'${typed}' is no amount of memory. Write for example 10 GiB.`,
      hint: null
    });
  }
  return { gpu_memory: memory, gpu_model: fields.gpuModel.trim() || null };
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
