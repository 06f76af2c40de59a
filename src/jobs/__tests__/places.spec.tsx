import { createRoot } from 'react-dom/client';
import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import type { Client } from '../../api/client';
import type { JobRequest, Queue, SubmitForm } from '../../api/types';
import type { IJobActions } from '../actions';
import { initialFields, readFields, readRerun, recordedForm } from '../fields';
import { limitsOf, placeText, queueText } from '../places';
import { JobRow } from '../row';
import { Submit } from '../submit';
import { SubmitModel } from '../submitmodel';
import { form, job, place } from './fixtures';

const { act } = React;
const GIB = 2 ** 30;

function queue(changes: Partial<Queue> = {}): Queue {
  return {
    name: 'normal',
    default: false,
    time_limit: null,
    cpus: 64,
    memory: 256 * GIB,
    gpus: 0,
    gpu_models: [],
    free: null,
    text: '',
    ...changes
  };
}

const SLURM = place({
  name: 'slurm',
  title: 'Slurm',
  limits: { cpus: 32, memory: 128 * GIB, gpus: 4, time: 7 * 86400 },
  queues: [
    queue({ default: true }),
    queue({
      name: 'gpu',
      cpus: 16,
      gpus: 2,
      gpu_models: ['a100', 't4'],
      time_limit: 3600,
      text: 'For training.',
      free: { cpus: 12, memory: 48 * GIB, gpus: 1 }
    })
  ]
});

const two = (defaults: Partial<SubmitForm['defaults']> = {}) =>
  form({
    backends: [place(), SLURM],
    defaults: { ...form().defaults, ...defaults }
  });

const onSlurm = { backend: 'slurm', queue: 'gpu', charge: 'cms' };

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
      selected={false}
      focusable={true}
      actions={{} as IJobActions}
      onFocus={() => undefined}
    />
  );
  expect(html).toContain('title="Slurm · gpu · 1234">slurm/gpu<');
  expect(html).toContain('Waits for free GPUs.');
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

describe('the form', () => {
  let drafted: JobRequest[];
  let shown: SubmitForm;
  let model: SubmitModel;

  const client = {
    form: async () => shown,
    draft: async (request: JobRequest) => {
      drafted.push(request);
      return {
        ok: true,
        problems: [],
        notes: [],
        forecast: { starts_now: true, text: `Starts in ${request.queue}.` },
        output_folder: null
      };
    }
  } as unknown as Client;

  const open = async (offered: SubmitForm) => {
    shown = offered;
    drafted = [];
    model = new SubmitModel(client, {
      source: 'a.ipynb',
      save: async () => 'a.ipynb'
    });
    await model.load();
    await jest.advanceTimersByTimeAsync(1000);
  };
  const nothing = () => undefined;
  const draw = () =>
    renderToStaticMarkup(
      <Submit
        model={model}
        onDone={nothing}
        onCancel={nothing}
        onLost={nothing}
      />
    );

  beforeEach(() => jest.useFakeTimers());

  afterEach(() => {
    model.dispose();
    jest.useRealTimers();
  });

  it('asks nothing where there is only this machine', async () => {
    await open(form());
    const html = draw();
    expect(html).toContain('This machine, starts now');
    expect(html).not.toContain('Queue');
    expect(html).not.toContain('Charge to');
  });

  it('offers the places, and neither queue nor account for this machine', async () => {
    await open(two());
    const html = draw();
    expect(html).toMatch(/<option[^>]*selected[^>]*>This machine</);
    expect(html).toContain('>Slurm<');
    expect(html).toContain('Starts now.');
    expect(html).not.toContain('>Queue<');
    expect(html).not.toContain('Charge to');
  });

  it('offers the queues of the place, with what is asked of each', async () => {
    await open(two(onSlurm));
    const html = draw();
    expect(html).toContain('>normal (default)<');
    expect(html).not.toContain('Starts now.');
    expect(html).toMatch(/<option[^>]*value="gpu"[^>]*selected/);
    expect(html).toContain('For training. Up to 1 h.');
    expect(html).toContain('Up to 2 here. Models: a100, t4.');
    expect(html).toContain('>Up to 1 h here.<');
    expect(html).toContain('value="cms"');
  });

  it('asks again what would happen when the queue changes', async () => {
    await open(two(onSlurm));
    model.change({ queue: '' });
    await jest.advanceTimersByTimeAsync(1000);
    expect(drafted.map(one => one.queue)).toEqual(['gpu', null]);
    expect(draw()).toContain('Starts in null.');
  });

  it('says of a queue that is gone that it is, and keeps it until it is changed', async () => {
    await open(two({ ...onSlurm, queue: 'gone' }));
    expect(draw()).toContain('gone (not offered)');
    expect(drafted[0].queue).toBe('gone');
  });

  it('forgets queue and account when another place is clicked', async () => {
    await open(two(onSlurm));
    Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
    const node = document.createElement('div');
    document.body.append(node);
    const root = createRoot(node);
    const label = (text: string) =>
      [...node.querySelectorAll('label')].find(
        one => one.textContent === text
      ) as HTMLLabelElement;
    await act(async () =>
      root.render(
        <Submit
          model={model}
          onDone={nothing}
          onCancel={nothing}
          onLost={nothing}
        />
      )
    );
    const choose = (text: string, value: string) =>
      act(async () => {
        const select = label(text).control as HTMLSelectElement;
        select.value = value;
        select.dispatchEvent(new Event('change', { bubbles: true }));
      });
    await choose('Place', 'local');
    expect(model.fields).toMatchObject({
      backend: 'local',
      queue: '',
      charge: ''
    });
    expect(label('Queue')).toBeUndefined();
    await choose('Place', 'slurm');
    await choose('Queue', 'gpu');
    expect(model.fields).toMatchObject({ backend: 'slurm', queue: 'gpu' });
    await act(async () => root.unmount());
    node.remove();
  });

  it('says that a silent system keeps the job waiting', async () => {
    const mute = place({
      name: 'slurm',
      title: 'Slurm',
      limits: null,
      missing: 'Slurm does not answer.'
    });
    await open({ ...two(onSlurm), backends: [place(), mute] });
    const html = draw();
    expect(html).toContain('Slurm (does not answer)');
    expect(html).toContain('waits until it answers');
    expect(html).toMatch(/<option[^>]*selected[^>]*>gpu</);
    expect(html).not.toContain('None here.');
  });

  it('lets a place that is not here any more be corrected', async () => {
    await open(form({ defaults: { ...form().defaults, ...onSlurm } }));
    const html = draw();
    expect(html).toContain('Slurm (not here)');
    expect(html).toContain('>This machine<');
  });
});
