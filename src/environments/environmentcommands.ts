import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Environment } from '../api/types';
import { environmentsIcon } from '../components/icons';
import type { IEnvironmentActions } from './actions';
import { canClone, canUse, hasImageKernel, hasLock, isOwn } from './actions';
import { CommandIDs } from './commands';
import type { EnvironmentsModel } from './model';

const NO_ARGS = { type: 'object', properties: {} } as const;

const ONE_ARGS = {
  type: 'object',
  properties: {
    key: {
      type: 'string',
      description:
        'Kind and name of the environment; the selected one if absent'
    }
  }
} as const;

/** All commands; those of one environment take its key, or mean the one selected. */
export function addEnvironmentCommands(
  commands: CommandRegistry,
  model: EnvironmentsModel,
  actions: IEnvironmentActions
): void {
  commands.addCommand(CommandIDs.create, {
    label: 'New Environment…',
    icon: environmentsIcon,
    describedBy: { args: NO_ARGS },
    execute: () => actions.create()
  });
  commands.addCommand(CommandIDs.collectGarbage, {
    label: 'Free Space of Environments…',
    describedBy: { args: NO_ARGS },
    execute: () => actions.collectGarbage()
  });
  const of = (args: ReadonlyPartialJSONObject): Environment | null =>
    model.environment(String(args['key'] ?? model.selected));
  const add = (
    command: string,
    label: string | ((one: Environment) => string),
    enabled: (one: Environment) => boolean,
    run: (one: Environment) => void
  ) =>
    commands.addCommand(command, {
      label: args => {
        const one = of(args);
        return typeof label === 'string' ? label : one ? label(one) : 'Kernel';
      },
      describedBy: { args: ONE_ARGS },
      isEnabled: args => {
        const one = of(args);
        return one !== null && enabled(one);
      },
      execute: args => {
        const one = of(args);
        if (one) {
          run(one);
        }
      }
    });
  const rests = (one: Environment) =>
    isOwn(one) && model.newsOf(one.name)?.state !== 'running';
  add(CommandIDs.clone, 'Clone…', canClone, one => actions.clone(one));
  add(CommandIDs.addPackages, 'Add Packages…', rests, one =>
    actions.addPackages(one)
  );
  add(CommandIDs.removePackages, 'Remove Packages…', rests, one =>
    actions.removePackages(one)
  );
  add(CommandIDs.update, 'Update…', rests, one => actions.update(one));
  add(CommandIDs.history, 'History…', isOwn, one => actions.showHistory(one));
  add(CommandIDs.compare, 'Diff…', hasLock, one => actions.compare(one));
  add(CommandIDs.lock, 'Lock and Export…', hasLock, one =>
    actions.showLock(one)
  );
  add(CommandIDs.pack, 'Pack…', rests, one => actions.pack(one));
  add(CommandIDs.share, 'Share…', isOwn, one => actions.share(one));
  add(
    CommandIDs.kernel,
    one => (one.kernel ? 'Kernel off' : 'Kernel on'),
    rests,
    one => actions.toggleKernel(one)
  );
  add(
    CommandIDs.imageKernel,
    one => `Kernel from the Packed File ${hasImageKernel(one) ? 'off' : 'on'}`,
    one => rests(one) && (one.packed || hasImageKernel(one)),
    one => actions.toggleImageKernel(one)
  );
  add(
    CommandIDs.use,
    'Use for Job…',
    one => actions.hasJobs && canUse(one),
    one => actions.use(one)
  );
  add(CommandIDs.remove, 'Delete…', rests, one => actions.remove(one));
}
