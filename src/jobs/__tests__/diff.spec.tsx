import { renderToStaticMarkup } from 'react-dom/server';
import * as React from 'react';

import { ApiProblem } from '../../api/client';
import type { Client } from '../../api/client';
import type {
  DiffItem,
  DiffSection,
  JobDetails,
  JobDiff
} from '../../api/types';
import { Diff } from '../diff';
import { DiffModel } from '../diffmodel';
import { found, likely, sectionText, showValue } from '../diffwords';
import { NotExact, VerdictLine } from '../notexact';
import { isMismatch, isNotExact } from '../refusals';
import { job } from './fixtures';

function item(changes: Partial<DiffItem> = {}): DiffItem {
  return {
    name: 'lr',
    standing: 'changed',
    a: 0.1,
    b: 0.2,
    kind: 'value',
    detail: [],
    ...changes
  };
}

function section(...items: DiffItem[]): DiffSection {
  const same = items.every(one => one.standing === 'equal');
  return { name: 'parameters', title: 'Parameters', same, items, note: null };
}

function diff(...sections: DiffSection[]): JobDiff {
  const side = {
    name: '<img src=x onerror=alert(1)>',
    point: null,
    state: 'succeeded',
    backend: 'local',
    submitted_at: '2026-11-21T08:00:00Z'
  };
  return {
    a: { id: 'aaaaaaaaaa', ...side },
    b: { id: 'bbbbbbbbbb', ...side },
    text: 'Different: parameters (lr).',
    same_request: false,
    same_outputs: false,
    sections
  };
}

/** A server that answers a comparison, and whose calls are counted. */
function server(answer: JobDiff | Error = diff(section(item()))) {
  const calls: string[] = [];
  const client = {
    diff: async (a: { id: string }, b: { id: string }) => {
      calls.push(`${a.id} ${b.id}`);
      if (answer instanceof Error) {
        throw answer;
      }
      return answer;
    },
    details: async (id: string) => ({ job: job({ id }) }),
    jobs: async ({ search }: { search: string }) => {
      calls.push(`search ${search}`);
      return { jobs: [job(), job({ id: 'cccccccccc', name: 'other' })] };
    }
  };
  return { calls, client: client as unknown as Client };
}

const A = { id: 'aaaaaaaaaa', point: null };
const B = { id: 'bbbbbbbbbb', point: null };

function draw(model: DiffModel): string {
  return renderToStaticMarkup(<Diff model={model} open={() => undefined} />);
}

describe('a value of a comparison', () => {
  it.each([
    [item({ kind: 'bytes', a: 8589934592 }), '8.0 GiB'],
    [item({ kind: 'seconds', a: 1.234 }), '1.23 s'],
    [item({ kind: 'seconds', a: 90 }), '1 min 30 s'],
    [item({ kind: 'hash', a: `sha256:${'a'.repeat(64)}` }), 'aaaaaaaaaaaa…'],
    [item({ kind: 'text', a: 'numpy 2' }), 'numpy 2'],
    [item({ a: null, standing: 'only-b' }), '–'],
    [item({ a: null }), 'none']
  ])('is shown with its unit', (one, text) => {
    expect(showValue(one, 'a')).toBe(text);
  });
});

describe('the words of a comparison', () => {
  it('counts what differs and what is equal', () => {
    const equal = item({ standing: 'equal' });
    expect(sectionText(section(item(), equal, equal))).toBe(
      '1 differs · 2 equal'
    );
    expect(sectionText(section(item({ standing: 'unknown' })))).toBe(
      '1 cannot be told'
    );
    expect(sectionText(section())).toBe('nothing on either side');
  });

  it('finds words in names, values and lines', () => {
    const items = [item(), item({ name: 'cell 1', detail: ['-loss 0.5'] })];
    expect(found(items, 'LOSS')).toEqual([items[1]]);
    expect(found(items, '0.2 lr')).toEqual([items[0]]);
    expect(found(items, ' ')).toBe(items);
    expect(found(items, 'nothing')).toEqual([]);
  });

  it('offers what a job repeats first, then the same notebook', () => {
    const one = job({ rerun_of: 'dddddddddd', source: 'a.ipynb' });
    const others = [
      job({ id: 'bbbbbbbbbb', source: 'z.ipynb' }),
      job({ id: 'cccccccccc', source: 'a.ipynb' }),
      job({ id: 'dddddddddd', source: 'z.ipynb' }),
      one
    ];
    expect(likely(one, others).map(({ id }) => id[0])).toEqual(['d', 'c', 'b']);
  });
});

describe('the comparison', () => {
  it('shows what differs, and folds what is equal', async () => {
    const equal = item({ name: 'epochs', standing: 'equal', a: 3, b: 3 });
    const { client } = server(
      diff(section(item({ detail: ['-x = 1', '+x = 2'] }), equal))
    );
    const model = new DiffModel(client, A, B);
    await model.load();
    const html = draw(model);
    expect(html).toContain('Other results');
    expect(html).toContain('1 differs · 1 equal');
    expect(html).toContain('<code data-mark="+">+x = 2</code>');
    expect(html).toContain('Show 1 equal line');
    expect(html).not.toContain('epochs');
    expect(html).not.toContain('<img');
    model.dispose();
  });

  it('lets the other job be chosen, the job itself left out', async () => {
    const { client, calls } = server();
    const model = new DiffModel(client, A);
    await model.load();
    const html = draw(model);
    expect(html).toContain('1 job');
    expect(html).toContain('cccccccccc');
    await model.find('lr=0.1');
    expect(calls).toEqual(['search ', 'search lr=0.1']);
    model.choose({ id: 'cccccccccc', point: null });
    await new Promise(resolve => setTimeout(resolve));
    expect(calls).toContain('aaaaaaaaaa cccccccccc');
    model.dispose();
  });

  it('swaps its sides and asks again', async () => {
    const { client, calls } = server();
    const model = new DiffModel(client, A, B);
    await model.load();
    model.swap();
    expect(model.a.id).toBe('bbbbbbbbbb');
    await new Promise(resolve => setTimeout(resolve));
    expect(calls).toEqual(['aaaaaaaaaa bbbbbbbbbb', 'bbbbbbbbbb aaaaaaaaaa']);
    model.dispose();
  });

  it('says what went wrong, with Retry', async () => {
    const gone = new ApiProblem(404, 'job-not-found', 'There is no such job.');
    const model = new DiffModel(server(gone).client, A, B);
    await model.load();
    const html = draw(model);
    expect(html).toContain('There is no such job.');
    expect(html).toContain('Retry');
    model.dispose();
  });

  it('does not show an answer that came too late', async () => {
    const { client } = server();
    const model = new DiffModel(client, A, B);
    const first = model.load();
    model.chooseAnew();
    await first;
    await new Promise(resolve => setTimeout(resolve));
    expect(model.diff).toBeNull();
    model.dispose();
  });
});

describe('an exact rerun', () => {
  it('that is refused names all problems with what to do', () => {
    const html = renderToStaticMarkup(
      <NotExact
        job={job()}
        problems={[
          {
            code: 'x',
            text: 'data.csv differs.',
            field: null,
            hint: 'Put it back.'
          }
        ]}
        onClose={() => undefined}
        onRerun={() => undefined}
      />
    );
    expect(html).toContain('Nothing was submitted');
    expect(html).toContain('data.csv differs.');
    expect(html).toContain('Put it back.');
  });

  it('says whether the outputs are the same', () => {
    const verdict = {
      first: 'aaaaaaaaaa',
      same: false,
      equal: [],
      different: ['m.json'],
      missing: [],
      new: [],
      text: '3 of 4 files are equal; m.json differs.',
      at: null
    };
    const details = { verdict } as unknown as JobDetails;
    const html = renderToStaticMarkup(<VerdictLine details={details} />);
    expect(html).toContain('m.json differs');
    expect(html).toContain('aaaaaaaaaa');
    const none = { verdict: null } as unknown as JobDetails;
    expect(renderToStaticMarkup(<VerdictLine details={none} />)).toBe('');
  });

  it('is told from an environment that differs by its code', () => {
    const problem = (code: string) => new ApiProblem(403, code, '');
    expect(isNotExact(problem('not-exact'))).toBe(true);
    expect(isNotExact(problem('environment-mismatch'))).toBe(false);
    expect(isMismatch(problem('environment-mismatch'))).toBe(true);
    expect(isNotExact(new Error())).toBe(false);
  });
});
