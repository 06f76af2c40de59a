import { initialFields, problemOf, readFields } from '../fields';
import { literalValue, readRerun, recordedDefaults } from '../rerunfields';
import { form, job, place } from './fixtures';

describe('the submit form', () => {
  it('starts with the notebook’s own values and the last resources', () => {
    const fields = initialFields(form());
    expect(fields.values).toEqual({ lr: '0.1', on: 'True', seeds: 'range(3)' });
    expect(fields).toMatchObject({
      cpus: '2',
      memory: '4.0 GiB',
      gpus: '0',
      time: '1 h 30 min',
      environment: 'python3'
    });
  });

  it('reads back to what it started with, with nothing to change', () => {
    const { request, problems } = readFields(form(), initialFields(form()));
    expect(problems).toEqual([]);
    expect(request.raw_parameters).toEqual({});
    expect(request.resources).toEqual(form().defaults.resources);
    expect(request.create_parameters_cell).toBe(false);
  });

  it('sends only the parameters that were changed', () => {
    const fields = initialFields(form());
    fields.values = { ...fields.values, lr: '0.5' };
    expect(readFields(form(), fields).request.raw_parameters).toEqual({
      lr: '0.5'
    });
  });

  it('keeps last used values of parameters that the cell no longer has', () => {
    const used = form();
    used.defaults.parameters = { lr: 0.3, gone: [1, 2] };
    const fields = initialFields(used);
    expect(fields.values.lr).toBe('0.3');
    expect(fields.extras).toEqual([{ name: 'gone', value: '[1,2]' }]);
  });

  it('offers a new first cell where there is none', () => {
    const bare = form({ has_parameters_cell: false, parameters: [] });
    const fields = initialFields(bare);
    fields.extras = [{ name: ' lr ', value: '1' }];
    const { request } = readFields(bare, fields);
    expect(request.create_parameters_cell).toBe(true);
    expect(request.raw_parameters).toEqual({ lr: '1' });
  });

  it('says all that is wrong at once', () => {
    const fields = {
      ...initialFields(form()),
      cpus: '0',
      memory: 'much',
      gpus: '-1',
      time: 'long',
      extras: [{ name: '2x', value: '1' }]
    };
    const { problems } = readFields(form(), fields);
    expect(problems.map(one => one.field)).toEqual([
      'extras',
      'cpus',
      'memory',
      'gpus',
      'time'
    ]);
  });

  it('reads a seed and how often a job starts again', () => {
    const given = {
      ...initialFields(form()),
      seed: ' 7 ',
      retries: '2',
      retryOn: ['time-limit' as const]
    };
    expect(readFields(form(), given).request).toMatchObject({
      seed: 7,
      retries: 2,
      retry_on: ['time-limit']
    });
    const none = { ...given, seed: '', retries: '0' };
    expect(readFields(form(), none).request).toMatchObject({
      seed: null,
      retries: 0,
      retry_on: []
    });
    const wrong = { ...given, seed: '4294967296', retries: '21' };
    expect(readFields(form(), wrong).problems.map(one => one.field)).toEqual([
      'retries',
      'seed'
    ]);
  });

  it('asks for machines elsewhere only where there are some', () => {
    const asked = { ...initialFields(form()), offload: true };
    expect(readFields(form(), asked).request.offload).toBe(false);
    const far = form({ backends: [place({ offloads: true })] });
    expect(readFields(far, asked).request.offload).toBe(true);
  });

  it('ignores an empty added line', () => {
    const fields = {
      ...initialFields(form()),
      extras: [{ name: '', value: ' ' }]
    };
    const { request, problems } = readFields(form(), fields);
    expect(problems).toEqual([]);
    expect(request.raw_parameters).toEqual({});
  });

  it('finds the problem of a field, dotted or not', () => {
    const problems = [
      { code: 'x', text: 'No.', field: 'parameters.lr', hint: null }
    ];
    expect(problemOf(problems, 'lr')).toBe('No.');
    expect(problemOf(problems, 'parameters')).toBeNull();
  });
});

describe('running a recorded job again', () => {
  const record = job({ parameters: { lr: 0.25, tag: '7', big: [1] } });
  const filled = () => {
    const shown = form({ defaults: recordedDefaults(record) });
    return { shown, fields: initialFields(shown) };
  };

  it('keeps recorded values exactly while nothing is changed', () => {
    const { shown, fields } = filled();
    expect(readRerun(shown, fields, record).parameters).toEqual({
      lr: 0.25,
      tag: '7',
      big: [1]
    });
  });

  it('takes what was typed by the notebook’s types', () => {
    const { shown, fields } = filled();
    fields.values = { ...fields.values, lr: '0.5', on: 'False' };
    expect(readRerun(shown, fields, record).parameters).toEqual({
      lr: 0.5,
      tag: '7',
      big: [1],
      on: false
    });
  });
});

describe('literalValue', () => {
  it.each([
    ['True', undefined, true],
    ['None', undefined, null],
    ['1e-3', undefined, 0.001],
    ['[1, 2]', undefined, [1, 2]],
    ['plain', undefined, 'plain'],
    ['7', 'str' as const, '7']
  ])('%s is read as it is meant', (text, kind, value) => {
    expect(literalValue(text, kind)).toEqual(value);
  });
});
