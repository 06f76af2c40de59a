import { mergeTasks } from '../model';
import { ended, listOf, own, server, task } from './fixtures';

const at = (second: number) => `2026-11-21T08:00:0${second}Z`;

const event = (second: number, text: string) => ({
  at: at(second),
  phase: 'linking' as const,
  text,
  done: second,
  total: 9,
  unit: 'packages' as const
});

describe('EnvironmentsModel', () => {
  it('listens only while somebody looks', async () => {
    const { model, listens } = server();
    const watching = model.watch();
    expect(listens()).toBe(true);
    watching.dispose();
    expect(listens()).toBe(false);
  });

  it('keeps the list when only tasks changed', () => {
    const { model, full, changed } = server();
    model.watch();
    full();
    changed([task()]);
    expect(model.list?.environments).toHaveLength(2);
    expect(model.newsOf('mine')?.state).toBe('running');
  });

  it('shows no preview in the row', () => {
    const { model, full } = server();
    model.watch();
    full(task({ preview: true }));
    expect(model.newsOf('mine')).toBeNull();
  });

  it('does not go back when an answer comes late', () => {
    const { model, full } = server();
    model.watch();
    full(task({ event: event(3, 'numpy') }));
    model.put(task({ event: event(1, 'zlib') }));
    expect(model.newsOf('mine')?.event?.text).toBe('numpy');
    model.put(ended(task(), 'succeeded', 'Done.'));
    model.put(task({ event: event(4, 'scipy') }));
    expect(model.newsOf('mine')?.state).toBe('succeeded');
  });

  it('says once what is different now, and keeps it until it was read', () => {
    const { model, full, changed } = server();
    const said: string[] = [];
    model.announced.connect((_, sentence) => said.push(sentence));
    model.watch();
    full(task());
    const done = ended(task(), 'succeeded', 'Added numpy.');
    changed([done]);
    changed([done]);
    expect(said).toEqual(['Added numpy.']);
    expect(model.newsOf('mine')?.result?.text).toBe('Added numpy.');
    model.markRead(done.id);
    expect(model.newsOf('mine')).toBeNull();
  });

  it('leaves it to the dialog that is open', () => {
    const { model, full, changed } = server();
    const said: string[] = [];
    model.announced.connect((_, sentence) => said.push(sentence));
    model.watch();
    full(task());
    model.attend(task().id);
    changed([ended(task(), 'succeeded', 'Added numpy.')]);
    expect(said).toEqual([]);
    expect(model.newsOf('mine')).toBeNull();
  });

  it('tells an old failure, but no old success', () => {
    const { model, full } = server();
    model.watch();
    full(ended(task(), 'succeeded', 'Added numpy.'));
    expect(model.newsOf('mine')).toBeNull();
    full(
      ended(task({ id: '0000000000000002' }), 'failed', 'The disk is full.')
    );
    expect(model.newsOf('mine')?.result?.text).toBe('The disk is full.');
  });

  it('shows what is being made, until it is there', () => {
    const { model, environments, full, changed } = server();
    model.watch();
    full(task({ action: 'clone', name: 'new' }));
    expect(model.unborn).toEqual(['new']);
    environments.push(own({ name: 'new' }));
    changed([], [], true);
    expect(model.unborn).toEqual([]);
  });

  it('tells when the kernels are others, and only then', async () => {
    const { model, environments, full, changed } = server();
    let times = 0;
    model.kernelsChanged.connect(() => (times += 1));
    model.watch();
    full();
    changed([], [], true);
    expect(times).toBe(0);
    environments[0] = own({ kernels: ['mlinfn-mine'] });
    changed([], [], true);
    expect(times).toBe(1);
  });

  it('forgets tasks that a new full frame does not know', () => {
    const { model, full } = server();
    model.watch();
    full(task());
    full();
    expect(model.tasks).toEqual([]);
  });

  it('shows what runs where no live frame comes', async () => {
    const { model } = server({ tasks: async () => ({ tasks: [task()] }) });
    model.watch();
    await new Promise(resolve => setTimeout(resolve));
    expect(model.newsOf('mine')?.state).toBe('running');
  });

  it('keeps what it shows when asking again fails', async () => {
    let fails = false;
    const list = listOf([own()]);
    const { model } = server({
      environments: async () => {
        if (fails) {
          throw new Error('No answer.');
        }
        return list;
      }
    });
    await model.refresh();
    fails = true;
    await model.refresh();
    expect(model.list).toEqual(list);
    expect(model.error?.message).toBe('No answer.');
  });
});

it('puts changed tasks in their place, newest first', () => {
  const one = task({ id: 'a', started_at: at(1) });
  const two = task({ id: 'b', started_at: at(2) });
  const three = task({ id: 'c', started_at: at(3) });
  const again = ended(one, 'succeeded', 'Done.');
  expect(mergeTasks([two, one], [again, three], ['b'])).toEqual([three, again]);
});
