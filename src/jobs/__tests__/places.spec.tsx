import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import type { IJobActions } from '../actions';
import { initialFields, readFields } from '../fields';
import { readRerun, recordedForm } from '../rerunfields';
import {
  limitsOf,
  modelsOf,
  placeText,
  queueText,
  shapesOf,
  shapeText,
  standing
} from '../places';
import { JobRow } from '../row';
import { form, job, place, SMALL } from './fixtures';
import { GIB, onSlurm, outlook, queue, SLURM, two } from './slurmform';

describe('the request', () => {
  it('names this machine where nothing else was chosen', () => {
    const { request } = readFields(form(), initialFields(form()));
    expect(request).toMatchObject({
      backend: 'local',
      queue: null,
      charge: null
    });
  });

  it('names back-end, queue and account, as they were used last', () => {
    const shown = two(onSlurm);
    expect(readFields(shown, initialFields(shown)).request).toMatchObject(
      onSlurm
    );
  });

  it('leaves the default queue to the system, and spaces out', () => {
    const shown = two({ ...onSlurm, queue: 'normal' });
    const fields = { ...initialFields(shown), charge: '  ' };
    expect(fields.queue).toBe('');
    expect(readFields(shown, fields).request).toMatchObject({
      backend: 'slurm',
      queue: null,
      charge: null
    });
  });
});

describe('the limits', () => {
  it('are those of the back-end, narrowed by the queue', () => {
    const shown = two();
    const fields = initialFields(shown);
    expect(limitsOf(shown, fields)?.cpus).toBe(8);
    const there = { ...fields, backend: 'slurm' };
    expect(limitsOf(shown, there)).toMatchObject({ cpus: 32, gpus: 0 });
    expect(limitsOf(shown, { ...there, queue: 'gpu' })).toEqual({
      ...SMALL,
      cpus: 16,
      memory: 128 * GIB,
      gpus: 2,
      time: 3600
    });
  });

  it('are unknown while the system is silent', () => {
    const mute = place({ name: 'slurm', limits: null, missing: 'No answer.' });
    const shown = form({ backends: [place(), mute] });
    const fields = { ...initialFields(shown), backend: 'slurm' };
    expect(limitsOf(shown, fields)).toBeNull();
  });

  it('of a queue that does not tell its machines are those of the back-end', () => {
    const mute = { ...SLURM, queues: [queue({ default: true, cpus: 0 })] };
    const shown = form({ backends: [place(), mute] });
    const fields = { ...initialFields(shown), backend: 'slurm' };
    expect(limitsOf(shown, fields)?.gpus).toBe(4);
  });
});

it('says of a queue what is special, how long, and what is free', () => {
  expect(queueText(SLURM.queues[1])).toBe(
    'For training. Up to 1 h. Free now: 12 CPUs · 48.0 GiB · 1 GPU.'
  );
  expect(queueText(queue())).toBe('');
});

it('tells where a job is in the words of people', () => {
  expect(placeText(job({ backend_id: 'aaaaaaaaaa' }))).toBe('This machine');
  const away = { backend: 'slurm', queue: 'gpu', backend_id: '1234' };
  expect(placeText(job(away))).toBe('Slurm · gpu · 1234');
  expect(placeText(job({ backend: 'farm' }))).toBe('farm');
});

it('shows in the row where a job is, and why it waits', () => {
  const waiting = job({
    backend: 'slurm',
    queue: 'gpu',
    backend_id: '1234',
    reason: { code: 'waits-in-queue', text: 'Waits for free GPUs.' }
  });
  const html = renderToStaticMarkup(
    <JobRow
      job={waiting}
      index={0}
      selected={false}
      chosen={false}
      choosing={false}
      onChoose={() => undefined}
      focusable={true}
      actions={{} as IJobActions}
      onFocus={() => undefined}
    />
  );
  expect(html).toContain('title="Slurm · gpu · 1234">slurm/gpu<');
  expect(html).toContain('Waits for free GPUs.');
});

describe('the automatic choice', () => {
  const auto = { backend: 'auto', queue: '', charge: '' };

  it('is asked for by its name', () => {
    const shown = two({ backend: 'auto' });
    expect(readFields(shown, initialFields(shown)).request).toMatchObject({
      backend: 'auto',
      queue: null
    });
  });

  it('has the limits and the models of all places together', () => {
    expect(limitsOf(two(), auto)).toMatchObject({ cpus: 32, gpus: 4 });
    expect(modelsOf(two(), auto)).toEqual(['a100', 't4']);
    expect(limitsOf(form({ backends: [] }), auto)).toBeNull();
  });

  it('is compared with what every place says', () => {
    expect(standing(outlook({ starts_now: true, position: 0 }))).toBe(
      'starts now'
    );
    const start = new Date();
    start.setHours(17, 40, 0, 0);
    const expected_start = start.toISOString();
    expect(standing(outlook({ expected_start, position: 12 }))).toBe(
      'expected 17:40, 12 before it'
    );
    expect(standing(outlook())).toBe('Would wait.');
    expect(standing(outlook({ silent: true }))).toBe('does not answer');
    const no = { ok: false, text: 'No GPU was found.' };
    expect(standing(outlook(no))).toBe('not there: No GPU was found.');
  });
});

it('tells the kinds of GPUs of a place, with what is free', () => {
  const gpu = { name: 't4', memory: 16 * GIB, total: 6, free: 5 };
  const here = place({ gpu_shapes: [{ ...gpu, name: 'odd', memory: null }] });
  const there = queue({ default: true, gpu_shapes: [gpu] });
  const shown = form({ backends: [here, { ...SLURM, queues: [there] }] });
  const texts = (backend: string) =>
    shapesOf(shown, { backend, queue: '', charge: '' }).map(shapeText);
  expect(texts('local')).toEqual(['odd (5 of 6 free)']);
  expect(texts('slurm')).toEqual(['t4 (16.0 GiB, 5 of 6 free)']);
  expect(texts('auto')).toHaveLength(2);
  expect(shapeText({ ...gpu, memory: null, free: null })).toBe('t4');
});

describe('what a GPU has to be', () => {
  const asked = { cpus: 2, memory: 4 * GIB, gpus: 1, time: 5400 };
  const read = (changes: object) =>
    readFields(two(), { ...initialFields(two()), ...changes });

  it('is read with its unit, and remembered', () => {
    const typed = { gpus: '1', gpuMemory: '10 GiB', gpuModel: ' A100 ' };
    expect(read(typed).request.resources).toMatchObject({
      gpu_memory: 10 * GIB,
      gpu_model: 'A100'
    });
    const used = { ...asked, gpu_memory: 10 * GIB, gpu_model: 'A100' };
    const again = initialFields(two({ resources: used }));
    expect([again.gpuMemory, again.gpuModel]).toEqual(['10.0 GiB', 'A100']);
  });

  it('is nothing when nothing is typed', () => {
    expect(read({}).request.resources).toMatchObject({
      gpu_memory: null,
      gpu_model: null
    });
  });

  it('is a problem when it is no amount', () => {
    expect(read({ gpuMemory: 'much' }).problems).toMatchObject([
      { field: 'gpu_memory' }
    ]);
  });
});

describe('running a recorded job again', () => {
  const record = job({ backend: 'slurm', queue: 'gpu' });
  const shown = two();
  const as = (changes: object) => {
    const { backend, queue: name } = record;
    const filled = { ...initialFields(shown), backend, queue: name ?? '' };
    return readRerun(shown, { ...filled, ...changes }, record);
  };

  it('keeps its place and who pays', () => {
    expect(as({})).toMatchObject({ queue: 'gpu', charge: null });
    expect(as({}).backend).toBeUndefined();
  });

  it('names the default queue when that is chosen instead', () => {
    expect(as({ queue: '' }).queue).toBe('normal');
  });

  it('says all of another place', () => {
    expect(as({ backend: 'local', queue: '', charge: '' })).toMatchObject({
      backend: 'local',
      queue: null,
      charge: null
    });
  });

  it('knows the place of a job whose notebook is gone', () => {
    const gone = recordedForm(record);
    const { request } = readFields(gone, initialFields(gone));
    expect(request).toMatchObject({ backend: 'slurm', queue: 'gpu' });
  });
});
