import * as React from 'react';

import { TextField } from '../components/field';
import { showBytes, showDuration } from '../components/quantities';
import { problemOf } from './fields';
import type { IPartProps } from './parts';
import { chosenQueue, limitsOf, modelsOf, shapesOf, shapeText } from './places';

/** CPUs, memory, GPUs and what each of them has to be, time. */
export function HowMuch(props: IPartProps): React.ReactElement {
  const { model, form, fields } = props;
  const { last_used: last } = form;
  const limits = limitsOf(form, fields);
  const queue = chosenQueue(form, fields);
  const text = (
    name: 'cpus' | 'memory' | 'gpus' | 'time',
    label: string,
    hint?: string
  ) => (
    <TextField
      label={label}
      value={fields[name]}
      hint={hint}
      problem={problemOf(model.problems, name)}
      onChange={value => model.change({ [name]: value })}
    />
  );
  const used = last?.peak_memory
    ? `You used ${showBytes(last.peak_memory)} last time.`
    : limits
      ? `Up to ${showBytes(limits.memory)} here.`
      : undefined;
  const models = modelsOf(form, fields);
  const named = models.length ? ` Models: ${models.join(', ')}.` : '';
  const gpus = limits?.gpus
    ? `Up to ${limits.gpus} here.${named}`
    : 'None here.';
  const time =
    limits && queue?.time_limit
      ? `Up to ${showDuration(limits.time)} here.`
      : 'For example 8 h or 90 min.';
  const chooses = !limits || limits.gpus > 0;
  return (
    <fieldset>
      <legend>How much</legend>
      <div className="jp-Mlinfn-columns">
        {text(
          'cpus',
          'CPUs',
          limits ? `Up to ${limits.cpus} here.` : undefined
        )}
        {text('memory', 'Memory', used)}
        {text('gpus', 'GPUs', limits ? gpus : undefined)}
        {text('time', 'Time limit', time)}
        {(chooses || fields.gpuMemory || fields.gpuModel) && (
          <GpuKind {...props} />
        )}
      </div>
    </fieldset>
  );
}

/** Who says what a GPU has to be wants one. */
function GpuKind(props: IPartProps): React.ReactElement {
  const { model, form, fields } = props;
  const kinds = shapesOf(form, fields).map(shapeText);
  const there = kinds.length ? kinds : modelsOf(form, fields);
  const unasked = there.length
    ? `Empty: one of ${there.join(', ')}.`
    : 'Empty: whichever there is.';
  const change = (kind: { gpuMemory?: string; gpuModel?: string }) =>
    model.change(fields.gpus.trim() === '0' ? { ...kind, gpus: '1' } : kind);
  return (
    <>
      <TextField
        label="GPU memory"
        value={fields.gpuMemory}
        hint="Of each, such as 10 GiB: the smallest with it is taken."
        problem={problemOf(model.problems, 'gpu_memory')}
        onChange={gpuMemory => change({ gpuMemory })}
      />
      <TextField
        label="GPU model"
        value={fields.gpuModel}
        hint={unasked}
        problem={problemOf(model.problems, 'gpu_model')}
        onChange={gpuModel => change({ gpuModel })}
      />
    </>
  );
}
