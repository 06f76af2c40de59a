/**
 * What is typed into the sweep part of the submit form, and the sweep it means. Pure.
 */
import type { Problem, SubmitForm, Sweep } from '../api/types';
import { literalText } from './fields';

/** One parameter with all the values it shall take, as typed. */
export interface IAxis {
  name: string;
  text: string;
}

export interface ISweepFields {
  axes: readonly IAxis[];
  /** A CSV file beside the notebook; empty for none. */
  file: string;
  /** At most so many points at once; empty for no limit of ours. */
  throttle: string;
  /** Points of a table that was given in another way, kept as they are. */
  rows: Sweep['rows'];
}

const NO_SWEEP: ISweepFields = { axes: [], file: '', throttle: '', rows: [] };

/** The part of the form filled with a recorded sweep. */
export function sweepFields(sweep: Sweep | null): ISweepFields {
  if (!sweep) {
    return NO_SWEEP;
  }
  const listed = Object.entries(sweep.axes).map(([name, values]) => ({
    name,
    text: values.map(axisText).join(', ')
  }));
  const typed = Object.entries(sweep.raw_axes).map(([name, text]) => ({
    name,
    text
  }));
  return {
    axes: [...listed, ...typed],
    file: sweep.file ?? '',
    throttle: sweep.throttle === null ? '' : String(sweep.throttle),
    rows: sweep.rows
  };
}

/** A value between commas: a text that holds one is quoted. */
function axisText(value: unknown): string {
  const text = literalText(value);
  return typeof value === 'string' && /[,"'[\]{}()]|^$/.test(text)
    ? JSON.stringify(text)
    : text;
}

/** True when the form asks for more than one job with one set of values. */
export function isSweep(fields: ISweepFields): boolean {
  return (
    fields.axes.some(axis => axis.name.trim() || axis.text.trim()) ||
    fields.file.trim() !== '' ||
    fields.rows.length > 0
  );
}

/** The parameters that take several values; what is typed for them elsewhere does not count. */
export function sweptNames(fields: ISweepFields): Set<string> {
  return new Set(fields.axes.map(axis => axis.name.trim()).filter(Boolean));
}

/** Read this part of the form; `null` when it asks for no sweep. */
export function readSweep(
  fields: ISweepFields,
  problems: Problem[]
): Sweep | null {
  if (!isSweep(fields)) {
    return null;
  }
  const add = (field: string, text: string) =>
    problems.push({ code: 'bad-sweep', field, text, hint: null });
  const raw: Record<string, string> = {};
  for (const axis of fields.axes) {
    const name = axis.name.trim();
    if (!name && !axis.text.trim()) {
      continue;
    }
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,99}$/.test(name)) {
      add('sweep.axes', `'${name}' is no name for a parameter.`);
    } else if (name in raw) {
      add('sweep.axes', `${name} is there twice.`);
    }
    raw[name] = axis.text;
  }
  const throttle = fields.throttle.trim();
  const number = /^[1-9][0-9]{0,4}$/.test(throttle) ? Number(throttle) : null;
  if (throttle && number === null) {
    add('sweep.throttle', 'At most so many at once: a whole number from 1 on.');
  }
  return {
    axes: {},
    raw_axes: raw,
    rows: fields.rows,
    file: fields.file.trim() || null,
    throttle: number
  };
}

/** Parameters of the notebook that can still be varied. */
export function freeNames(form: SubmitForm, fields: ISweepFields): string[] {
  const taken = sweptNames(fields);
  return form.parameters.map(one => one.name).filter(name => !taken.has(name));
}
