import { createRoot } from 'react-dom/client';
import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import type { Client, IJobsQuery } from '../../api/client';
import type { JobRequest, Outlook, SubmitForm } from '../../api/types';
import { Submit } from '../submit';
import { SubmitModel } from '../submitmodel';
import { form, job, place } from './fixtures';
import { onSlurm, outlook, two } from './slurmform';

const { act } = React;

/** The view in a page, its labels by their text, and how to take it away again. */
async function mounted(view: React.ReactElement) {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  const node = document.createElement('div');
  document.body.append(node);
  const root = createRoot(node);
  await act(async () => root.render(view));
  const label = (text: string) =>
    [...node.querySelectorAll('label')].find(
      one => one.textContent === text
    ) as HTMLLabelElement;
  const close = async () => {
    await act(async () => root.unmount());
    node.remove();
  };
  return { label, close };
}

describe('the form', () => {
  let drafted: JobRequest[];
  let said: Outlook[] = [];
  let shown: SubmitForm;
  let model: SubmitModel;

  const searched: (string | undefined)[] = [];
  const client = {
    jobs: async ({ search }: IJobsQuery) => {
      searched.push(search);
      return { jobs: [job({ id: 'bbbbbbbbbb', name: 'prepare' })] };
    },
    form: async () => shown,
    draft: async (request: JobRequest) => {
      drafted.push(request);
      return {
        ok: true,
        problems: [],
        notes: [],
        forecast: { starts_now: true, text: `Starts in ${request.queue}.` },
        backend: 'local',
        why: request.backend === 'auto' ? 'Goes to this machine.' : null,
        places: said,
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
  const view = () => (
    <Submit
      model={model}
      onDone={nothing}
      onCancel={nothing}
      onLost={nothing}
    />
  );
  const draw = () => renderToStaticMarkup(view());

  beforeEach(() => jest.useFakeTimers());

  afterEach(() => {
    model.dispose();
    jest.useRealTimers();
  });

  it('offers the secrets that are declared, and says where there are none', async () => {
    await open(form());
    expect(draw()).toContain('Your settings declare none');
    model.dispose();
    await open(form({ secrets: ['proxy', 's3'] }));
    const { label, close } = await mounted(view());
    await act(async () => {
      (label('s3').control as HTMLElement).click();
      await jest.advanceTimersByTimeAsync(1000);
    });
    expect(drafted[drafted.length - 1].secrets).toEqual(['s3']);
    await close();
  });

  it('finds the job to come after by typing, and takes it with Enter', async () => {
    await open(form());
    const { label, close } = await mounted(view());
    const input = label('Start after these jobs').control as HTMLInputElement;
    const set = Object.getOwnPropertyDescriptor(
      HTMLInputElement.prototype,
      'value'
    )?.set;
    await act(async () => {
      set?.call(input, 'prep');
      input.dispatchEvent(new Event('input', { bubbles: true }));
    });
    await act(async () => {
      await jest.advanceTimersByTimeAsync(1000);
    });
    await act(async () => {
      const key = { key: 'Enter', bubbles: true, cancelable: true };
      input.dispatchEvent(new KeyboardEvent('keydown', key));
      await jest.advanceTimersByTimeAsync(1000);
    });
    expect(searched).toContain('prep');
    expect(drafted[drafted.length - 1].after_ok).toEqual(['bbbbbbbbbb']);
    await close();
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

  it('puts the automatic choice first, with the answer of every place', async () => {
    said = [
      outlook({ starts_now: true }),
      outlook({ backend: 'slurm', title: 'Slurm', position: 12 })
    ];
    await open(two({ backend: 'auto' }));
    said = [];
    const html = draw();
    expect(html).toMatch(
      /<select[^>]*><option value="auto" selected="">Automatic</
    );
    expect(html).toMatch(/role="status">Goes to this machine\./);
    expect(html).toContain('aria-label="When it would start"');
    expect(html).toMatch(
      /<li aria-current="true">.*?This machine.*?starts now/
    );
    expect(html).toContain('>12 before it<');
    expect(html).toContain('Charge to');
    expect(html).not.toContain('>Queue<');
  });

  it('asks for one GPU as soon as one says what it has to be', async () => {
    await open(two(onSlurm));
    expect(draw()).toContain('Empty: one of a100, t4.');
    const { label, close } = await mounted(view());
    const input = label('GPU memory').control as HTMLInputElement;
    const set = Object.getOwnPropertyDescriptor(
      HTMLInputElement.prototype,
      'value'
    )?.set;
    await act(async () => {
      set?.call(input, '10 GiB');
      input.dispatchEvent(new Event('input', { bubbles: true }));
    });
    expect(model.fields).toMatchObject({ gpus: '1', gpuMemory: '10 GiB' });
    await close();
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
    const { label, close } = await mounted(view());
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
    await close();
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
