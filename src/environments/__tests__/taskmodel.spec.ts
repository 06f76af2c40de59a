import { ApiProblem } from '../../api/client';
import type { Task, TaskRequest } from '../../api/types';
import { TaskModel } from '../taskmodel';
import { change, ended, server, task } from './fixtures';

const REQUEST: TaskRequest = { action: 'change', name: 'mine', add: ['numpy'] };
const PREVIEW = task({ id: 'aaaaaaaaaaaaaaaa', preview: true });
const WORK = task({ id: 'bbbbbbbbbbbbbbbb' });

describe('TaskModel', () => {
  let asked: TaskRequest[];
  let cancelled: string[];
  let now: Record<string, Task>;
  let house: ReturnType<typeof server>;
  let model: TaskModel;

  beforeEach(() => {
    jest.useFakeTimers();
    asked = [];
    cancelled = [];
    now = { [PREVIEW.id]: PREVIEW, [WORK.id]: WORK };
    house = server({
      startTask: async request => {
        asked.push(request);
        return request.preview ? PREVIEW : WORK;
      },
      task: async id => now[id],
      cancelTask: async id => {
        cancelled.push(id);
        return now[id];
      }
    });
    house.model.watch();
    house.full();
    model = new TaskModel(house.model);
  });

  afterEach(() => {
    model.dispose();
    jest.useRealTimers();
  });

  const wait = (milliseconds = 1000) =>
    jest.advanceTimersByTimeAsync(milliseconds);

  const solve = async () => {
    void model.look(REQUEST);
    await wait(0);
    now[PREVIEW.id] = ended(PREVIEW, 'succeeded', 'Solved.', change());
    await wait();
  };

  it('previews, then does exactly what the preview showed', async () => {
    await solve();
    expect(model.step).toBe('deciding');
    void model.act();
    await wait(0);
    expect(model.step).toBe('working');
    expect(asked[0]).toEqual({ ...REQUEST, preview: true });
    expect(asked[1]).toEqual({ ...REQUEST, after: PREVIEW.id });
    house.changed([ended(WORK, 'succeeded', 'Added numpy.')]);
    expect(model.step).toBe('ended');
    expect(model.task?.result?.text).toBe('Added numpy.');
    expect(house.model.newsOf('mine')).toBeNull();
  });

  it('does nothing before there is a preview', async () => {
    await model.act();
    expect(asked).toEqual([]);
  });

  it('stays with the question when it is refused, and says why', async () => {
    house.model.client.startTask = async () => {
      throw new ApiProblem(400, 'bad-name', 'It cannot be called so.');
    };
    await model.look(REQUEST);
    expect(model.step).toBe('asking');
    expect(model.error?.message).toBe('It cannot be called so.');
  });

  it('goes on when it is closed, and the row shows it', async () => {
    await solve();
    void model.act();
    await wait(0);
    const said: string[] = [];
    house.model.announced.connect((_, sentence) => said.push(sentence));
    model.dispose();
    expect(cancelled).toEqual([]);
    expect(house.model.newsOf('mine')?.state).toBe('running');
    house.changed([ended(WORK, 'succeeded', 'Added numpy.')]);
    expect(said).toEqual(['Added numpy.']);
  });

  it('ends a preview that nobody waits for', async () => {
    void model.look(REQUEST);
    await wait(0);
    model.dispose();
    expect(cancelled).toEqual([PREVIEW.id]);
  });

  it('ends a preview that is accepted after the dialog closed', async () => {
    void model.look(REQUEST);
    model.dispose();
    await wait(0);
    expect(cancelled).toEqual([PREVIEW.id]);
  });

  it('comes back to the question when the preview is cancelled', async () => {
    void model.look(REQUEST);
    await wait(0);
    void model.cancel();
    expect(model.cancelling).toBe(true);
    await wait(0);
    house.changed([ended(PREVIEW, 'cancelled', 'Cancelled.')]);
    expect(model.step).toBe('asking');
    expect(cancelled).toEqual([PREVIEW.id]);
  });

  it('asks for progress where the live connection is silent', async () => {
    await solve();
    void model.act();
    await wait(0);
    now[WORK.id] = ended(WORK, 'failed', 'The disk is full.');
    await wait(2000);
    expect(model.step).toBe('ended');
    expect(model.task?.state).toBe('failed');
  });

  it('says that it may be old while the server is silent, and recovers', async () => {
    await solve();
    void model.act();
    await wait(0);
    const { client } = house.model;
    const task = client.task;
    client.task = async () => {
      throw new Error('No answer.');
    };
    await wait(2000);
    expect(model.silent?.message).toBe('No answer.');
    expect(model.step).toBe('working');
    client.task = task;
    await wait(2000);
    expect(model.silent).toBeNull();
  });

  it('goes back to what was typed after a failure', async () => {
    void model.look(REQUEST);
    await wait(0);
    house.changed([ended(PREVIEW, 'failed', 'No package is called so.')]);
    expect(model.step).toBe('deciding');
    await model.act();
    expect(asked).toHaveLength(1);
    model.back();
    expect(model.step).toBe('asking');
    expect(model.request).toEqual(REQUEST);
  });
});
