import type { Client } from '../../api/client';
import type { BulkAnswer, BulkRequest } from '../../api/types';
import { sentence } from '../bulk';
import { BulkModel } from '../bulkmodel';
import { noteFor, numberFor } from '../bulkwords';
import { addressOf } from '../choosing';
import { NO_FILTER } from '../filter';
import { askedInAddress } from '../remembering';

type Answer = (request: BulkRequest) => BulkAnswer | Promise<BulkAnswer>;

const good = (id: string) => ({
  id,
  name: id,
  ok: true,
  code: null,
  text: null,
  made: null
});
const bad = (id: string) => ({
  ...good(id),
  ok: false,
  code: 'job-active',
  text: 'The job has not ended.'
});

function clientOf(answers: Answer[]): {
  client: Client;
  asked: [string, BulkRequest, string][];
} {
  const asked: [string, BulkRequest, string][] = [];
  const bulk = async (verb: string, request: BulkRequest, key: string) => {
    asked.push([verb, request, key]);
    const answer = answers.shift();
    if (!answer) {
      throw new Error('asked too often');
    }
    return answer(request);
  };
  return { client: { bulk } as unknown as Client, asked };
}

describe('one thing done to many jobs', () => {
  it('goes on with those that have no result, under one key', async () => {
    const { client, asked } = clientOf([
      () => ({ results: [good('a'), bad('b')], next: null }),
      () => ({ results: [good('c')], next: null })
    ]);
    const model = new BulkModel(client, 'delete', { ids: ['a', 'b', 'c'] });
    expect(model.state).toBe('asked');
    await model.run();
    expect(asked.map(one => one[1].jobs)).toEqual([['a', 'b', 'c'], ['c']]);
    expect(asked[0][2]).toBe(asked[1][2]);
    expect([model.state, model.succeeded, model.done]).toEqual(['done', 2, 3]);
    expect(model.failed.map(one => one.id)).toEqual(['b']);
    expect(sentence(model, { done: 'deleted' })).toBe('2 of 3 jobs deleted.');
  });

  it('follows the cursor of all that match', async () => {
    const { client, asked } = clientOf([
      () => ({ results: [good('a')], next: 'n7' }),
      () => ({ results: [good('b')], next: null })
    ]);
    const filter = { ...NO_FILTER, states: ['failed'] as const, search: 'lr' };
    const model = new BulkModel(client, 'rerun', { filter, number: 2 });
    await model.run();
    expect(asked.map(one => one[1].cursor)).toEqual([null, 'n7']);
    expect(asked[0][1].matching).toMatchObject({
      state: ['failed'],
      search: 'lr',
      since: null
    });
    expect(sentence(model, { done: 'submitted again' })).toBe(
      '2 jobs submitted again.'
    );
  });

  it('stops when asked, says so, and goes on from there', async () => {
    const first: { model?: BulkModel } = {};
    const { client, asked } = clientOf([
      () => {
        first.model?.stop();
        return { results: [good('a')], next: 'n7' };
      },
      () => ({ results: [good('b')], next: null })
    ]);
    const model = new BulkModel(client, 'cancel', {
      filter: NO_FILTER,
      number: 2
    });
    first.model = model;
    await model.run();
    expect(model.state).toBe('stopped');
    expect(sentence(model, { done: 'cancelled' })).toBe(
      'Stopped: 1 of 2 jobs cancelled.'
    );
    await model.run();
    expect(asked[1][1].cursor).toBe('n7');
    expect(model.state).toBe('done');
  });

  it('keeps what is done when the server is silent', async () => {
    const { client } = clientOf([
      () => ({ results: [good('a')], next: null }),
      () => Promise.reject(new Error('The server does not answer.')),
      () => ({ results: [good('b')], next: null })
    ]);
    const model = new BulkModel(client, 'delete', { ids: ['a', 'b'] });
    await model.run();
    expect(model.state).toBe('stopped');
    expect(model.error?.message).toContain('does not answer');
    await model.run();
    expect([model.state, model.succeeded, model.error]).toEqual([
      'done',
      2,
      null
    ]);
  });
});

it('says what of the choice stays as it is', () => {
  const counts = { running: 2, queued: 1, succeeded: 4 };
  expect(numberFor('cancel', counts)).toBe(3);
  expect(numberFor('delete', counts)).toBe(4);
  expect(noteFor('delete', counts)).toBe(
    '3 jobs of your choice have not ended and stay as they are.'
  );
  expect(noteFor('cancel', { failed: 1 })).toBe(
    '1 job of your choice has ended already and stays as it is.'
  );
  expect(noteFor('rerun', { failed: 1 })).toBe('');
});

it('puts the list into an address and finds it there', () => {
  const filter = { ...NO_FILTER, search: 'a&b', states: ['failed'] as const };
  const address = addressOf({ filter }, 'https://hub/lab');
  expect(askedInAddress(new URL(address).search)).toBe(
    'search=a%26b&state=failed'
  );
  expect(askedInAddress('?token=x')).toBeNull();
});
