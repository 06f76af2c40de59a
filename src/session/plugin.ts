import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ILabShell } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { Widget } from '@lumino/widgets';

import { Announcer } from '../components/announcer';
import { IServerPart } from '../tokens';
import { announceOnce } from './announcing';
import { SessionBanner } from './banner';
import { SessionModel } from './model';
import { keptText } from './words';

/** The warning before a hub releases an idle GPU. Without a hub there is none. */
export const sessionPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter_mlinfn:session',
  description: 'Warns before a hub releases an idle GPU.',
  autoStart: true,
  requires: [IServerPart],
  optional: [ILabShell],
  activate: (
    app: JupyterFrontEnd,
    server: IServerPart,
    labShell: ILabShell | null
  ): void => {
    if (!PageConfig.getOption('hubPrefix')) {
      return;
    }
    const model = new SessionModel(server.client, server.live);
    app.shell.add(new SessionBanner(model), labShell ? 'header' : 'top', {
      rank: 10
    });
    const announcer = new Announcer('Idle GPU');
    Widget.attach(announcer, document.body);
    announceOnce(model, sentence => announcer.say(sentence));
    model.kept.connect((_, until) => {
      Notification.success(keptText(until), { autoClose: 15_000 });
    });
    model.listen();
  }
};
