/**
 * Where a job may run: the chosen back-end and queue, and what can be asked of them. Pure.
 */
import type {
  BackendChoice,
  GpuShape,
  JobRecord,
  Outlook,
  Queue,
  RerunRequest,
  Resources,
  SubmitForm
} from '../api/types';
import { showBytes, showDuration, showTime } from '../components/quantities';
import type { IFields } from './fields';

/** The one machine this server runs on; it has no queues and charges nobody. */
export const LOCAL = 'local';

/** Not a place: the server chooses the one where the job starts first. */
export const AUTO = 'auto';

type Place = Pick<IFields, 'backend' | 'queue' | 'charge'>;

/** What is typed of the place, from what was used last; the default queue is the empty text. */
export function placeFields(form: SubmitForm): Place {
  const { backend, queue, charge } = form.defaults;
  const choice = form.backends.find(one => one.name === backend);
  const usual = choice?.queues.find(one => one.default)?.name;
  return {
    backend,
    queue: queue && queue !== usual ? queue : '',
    charge: charge ?? ''
  };
}

/** The back-end that is chosen; `null` where it is not offered any more. */
export function chosenBackend(
  form: SubmitForm,
  fields: Place
): BackendChoice | null {
  return form.backends.find(one => one.name === fields.backend) ?? null;
}

/** The queue that is chosen, or the one that is taken without a choice. */
export function chosenQueue(form: SubmitForm, fields: Place): Queue | null {
  const queues = chosenBackend(form, fields)?.queues ?? [];
  return (
    queues.find(one =>
      fields.queue ? one.name === fields.queue : one.default
    ) ?? null
  );
}

/** True where there is something to choose, or to correct. */
export function hasChoice(form: SubmitForm, fields: Place): boolean {
  const known = fields.backend === AUTO || chosenBackend(form, fields) !== null;
  return form.backends.length > 1 || !known;
}

/**
 * The most a job can ask for at the chosen place; `null` while its system is silent. A queue
 * without CPUs is one whose machines are not told.
 */
export function limitsOf(form: SubmitForm, fields: Place): Resources | null {
  if (fields.backend === AUTO) {
    return widest(form);
  }
  const limits = chosenBackend(form, fields)?.limits ?? null;
  const queue = chosenQueue(form, fields);
  if (!limits || !queue) {
    return limits;
  }
  return {
    ...limits,
    cpus: Math.min(limits.cpus, queue.cpus || limits.cpus),
    memory: Math.min(limits.memory, queue.memory || limits.memory),
    gpus: Math.min(limits.gpus, queue.cpus ? queue.gpus : limits.gpus),
    time: Math.min(limits.time, queue.time_limit ?? limits.time)
  };
}

/** The most of each that any place has; `null` while all are silent. */
function widest(form: SubmitForm): Resources | null {
  const told = form.backends.flatMap(one => one.limits ?? []);
  const most = (name: 'cpus' | 'memory' | 'gpus' | 'time') =>
    Math.max(...told.map(one => one[name]));
  return told.length
    ? {
        ...told[0],
        cpus: most('cpus'),
        memory: most('memory'),
        gpus: most('gpus'),
        time: most('time')
      }
    : null;
}

/** Whether the chosen place, or with the automatic choice any, hands jobs on to others. */
export function offloads(form: SubmitForm, fields: Place): boolean {
  const choice = chosenBackend(form, fields);
  const places =
    fields.backend === AUTO ? form.backends : choice ? [choice] : [];
  return places.some(one => one.offloads);
}

/** The models of GPUs that the chosen queue has, or with the automatic choice any place. */
export function modelsOf(form: SubmitForm, fields: Place): string[] {
  const queue = chosenQueue(form, fields);
  const all = form.backends.flatMap(one => one.queues);
  const queues = queue ? [queue] : fields.backend === AUTO ? all : [];
  return [...new Set(queues.flatMap(one => one.gpu_models))].sort();
}

/** The kinds of GPUs there: what each has, and how many of them are free. */
export function shapesOf(form: SubmitForm, fields: Place): GpuShape[] {
  const queue = chosenQueue(form, fields);
  if (queue) {
    return queue.gpu_shapes;
  }
  const choice = chosenBackend(form, fields);
  const places = choice ? [choice] : form.backends;
  return places.flatMap(one => [
    ...one.gpu_shapes,
    ...(one.queues.find(other => other.default)?.gpu_shapes ?? [])
  ]);
}

/** `t4 (16.0 GiB, 5 of 6 free)` */
export function shapeText(shape: GpuShape): string {
  const parts: string[] = [];
  if (shape.memory !== null) {
    parts.push(showBytes(shape.memory));
  }
  if (shape.free !== null) {
    parts.push(`${shape.free} of ${shape.total} free`);
  }
  return parts.length ? `${shape.name} (${parts.join(', ')})` : shape.name;
}

/** `starts now`, `expected 17:40, 12 before it`, or why the job cannot run there. */
export function standing(place: Outlook): string {
  if (place.silent) {
    return 'does not answer';
  }
  if (!place.ok) {
    return `not there: ${place.text}`;
  }
  const parts: string[] = [];
  if (place.starts_now) {
    parts.push('starts now');
  } else if (place.expected_start) {
    parts.push(`expected ${showTime(place.expected_start)}`);
  }
  if (place.position) {
    parts.push(`${place.position} before it`);
  }
  return parts.join(', ') || place.text;
}

/** What is special of a queue, its time limit, and what is free in it. */
export function queueText(queue: Queue): string {
  const sentences = [queue.text];
  if (queue.time_limit !== null) {
    sentences.push(`Up to ${showDuration(queue.time_limit)}.`);
  }
  if (queue.free) {
    const { cpus, memory, gpus } = queue.free;
    const parts = [cpus === 1 ? '1 CPU' : `${cpus} CPUs`, showBytes(memory)];
    if (queue.gpus) {
      parts.push(gpus === 1 ? '1 GPU' : `${gpus} GPUs`);
    }
    sentences.push(`Free now: ${parts.join(' · ')}.`);
  }
  return sentences.filter(Boolean).join(' ');
}

/** The place as a request names it. */
export function readPlace(fields: Place) {
  return {
    backend: fields.backend,
    queue: fields.queue.trim() || null,
    charge: fields.charge.trim() || null
  };
}

/** The place of a rerun: what is left out stays as recorded, unless it goes to another back-end. */
export function movedPlace(
  form: SubmitForm,
  fields: Place,
  job: JobRecord
): Pick<RerunRequest, 'backend' | 'queue' | 'charge'> {
  if (fields.backend !== job.backend) {
    return readPlace(fields);
  }
  const usual = job.queue ? (chosenQueue(form, fields)?.name ?? null) : null;
  return {
    queue: fields.queue || usual,
    charge: fields.charge.trim() || null
  };
}

const TITLES: Record<string, string> = {
  auto: 'Automatic',
  local: 'This machine',
  slurm: 'Slurm',
  htcondor: 'HTCondor',
  kubernetes: 'Kubernetes'
};

/** What people call a back-end; a site's own goes by its name. */
export function backendTitle(name: string): string {
  return TITLES[name] ?? name;
}

/** `Slurm · opportunistic · 1234`: back-end, queue and the system's own number. */
export function placeText(job: JobRecord): string {
  const number = job.backend_id === job.id ? null : job.backend_id;
  return [backendTitle(job.backend), job.queue, number]
    .filter(Boolean)
    .join(' · ');
}
