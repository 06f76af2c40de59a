import { DisposableDelegate } from '@lumino/disposable';
import { MessageLoop } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { Client } from '../../api/client';
import type { LiveSocket } from '../../api/live';
import type { HubSession, SessionView } from '../../api/types';
import { announceOnce } from '../announcing';
import { SessionBanner } from '../banner';
import { SessionModel } from '../model';
import { announcement, detailText, keptText, warningText } from '../words';

const NOW = new Date('2026-11-22T17:10:00');
const at = (minutes: number) =>
  new Date(NOW.getTime() + minutes * 60_000).toISOString();

function view(
  changes: Partial<HubSession> = {},
  trouble: string | null = null
): SessionView {
  return {
    session: {
      user: 'ada',
      server: '',
      devices: [{ uuid: 'MIG-1', pool: 'mig', model: 'A100', mig: '1g.10gb' }],
      until: null,
      state: 'idle',
      measurement: 'gpm',
      idle_since: at(-90),
      warning: { since: at(-90), release_at: at(30) },
      keeps_left: 2,
      keep_seconds: 3600,
      asked_at: at(0),
      ...changes
    },
    trouble
  };
}

describe('what is said', () => {
  it('names how long, when, and what is lost', () => {
    expect(warningText(view(), NOW)).toBe(
      'GPU (mig) idle for 1 h 30 min; released at 17:40.'
    );
    expect(announcement(view(), NOW)).toBe(
      'GPU (mig) idle for 1 h 30 min; released at 17:40. This session ends then: ' +
        'saved files stay, variables in memory are lost.'
    );
  });

  it('is nothing without a warning, a session, an answer', () => {
    expect(warningText(view({ warning: null }), NOW)).toBeNull();
    expect(warningText({ session: null, trouble: null }, NOW)).toBeNull();
    expect(warningText(null, NOW)).toBeNull();
  });

  it('says when nothing can be kept, and when the news is old', () => {
    expect(detailText(view({ keeps_left: 0 }), NOW)).toContain('as often as');
    expect(detailText(view({ asked_at: at(-5) }, 'silent'), NOW)).toContain(
      'as of 17:05'
    );
  });

  it('counts the GPUs', () => {
    const device = { uuid: 'GPU-2', pool: 't4', model: 'T4', mig: null };
    const two = [...view().session!.devices, device];
    expect(warningText(view({ devices: two }), NOW)).toMatch(
      /^2 GPUs \(mig, t4\) idle/
    );
  });

  it('tells until when it is kept', () => {
    expect(keptText(new Date(at(60)), NOW)).toContain('before 18:10,');
  });
});

describe('the banner', () => {
  let send: (data: SessionView) => void;
  let listening: number;
  let kept: () => Promise<SessionView>;
  let model: SessionModel;
  let banner: SessionBanner;

  const settle = async () => {
    for (let turn = 0; turn < 5; turn += 1) {
      MessageLoop.flush();
      await new Promise(resolve => setTimeout(resolve, 0));
    }
  };
  const button = () => banner.node.querySelector('button');

  beforeEach(async () => {
    listening = 0;
    kept = async () => view({ warning: null, keeps_left: 1 });
    const live = {
      subscribe: (_: string, listener: (frame: object) => void) => {
        listening += 1;
        send = data => listener({ type: 'full', topic: 'session', data });
        return new DisposableDelegate(() => {
          listening -= 1;
        });
      }
    } as unknown as LiveSocket;
    const client = { keepSession: () => kept() } as unknown as Client;
    model = new SessionModel(client, live);
    banner = new SessionBanner(model);
    Widget.attach(banner, document.body);
    model.listen();
    await settle();
  });

  afterEach(() => {
    banner.dispose();
    model.dispose();
  });

  it('is there while a warning stands, and gone when it was kept', async () => {
    expect(banner.isHidden).toBe(true);
    send(view());
    await settle();
    expect(banner.isHidden).toBe(false);
    expect(banner.node.textContent).toContain('released at');
    const until: string[] = [];
    model.kept.connect((_, end) => until.push(end.toISOString()));
    button()!.click();
    await settle();
    expect(banner.isHidden).toBe(true);
    expect(until).toEqual([at(60)]);
  });

  it('keeps once for many clicks, and says why it was not kept', async () => {
    let asked = 0;
    kept = async () => {
      asked += 1;
      throw new Error('You have kept it 2 times.');
    };
    send(view());
    await settle();
    button()!.click();
    button()!.click();
    await settle();
    expect(asked).toBe(1);
    expect(banner.isHidden).toBe(false);
    expect(banner.node.textContent).toContain('You have kept it 2 times.');
    expect(button()!.disabled).toBe(false);
  });

  it('offers nothing that cannot be done', async () => {
    send(view({ keeps_left: 0 }));
    await settle();
    expect(button()).toBeNull();
  });

  it('stops listening where there is no hub', () => {
    expect(listening).toBe(1);
    send({ session: null, trouble: null });
    expect(listening).toBe(0);
  });

  it('goes on listening while the hub is silent', () => {
    send({ session: null, trouble: 'The hub does not answer.' });
    expect(listening).toBe(1);
  });

  it('is announced once, and again when it comes again', async () => {
    const said: string[] = [];
    announceOnce(model, sentence => said.push(sentence));
    const ending = (release_at: string) =>
      view({ warning: { since: at(-90), release_at } });
    send(ending('2026-11-22T17:40:00.002Z'));
    send(ending('2026-11-22T17:39:59.998Z'));
    expect(said).toHaveLength(1);
    send(view({ warning: null }));
    send(ending('2026-11-22T18:40:00Z'));
    expect(said).toHaveLength(2);
  });
});
