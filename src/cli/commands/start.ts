import type { CommandDefinition } from './definition.ts';
import { addWaitOptions } from './spec-options.ts';
import type { WaitOptions } from './spec-options.ts';

export const command: CommandDefinition = {
  name: 'start',
  summary: 'run the replicas of a stopped deployment again; with --wait also wait for one that starts',
  group: 'Deployments',
  configure: (command, run) => {
    command.argument('<id>', 'the deployment').option('--force', 'also where Argo CD or Flux keeps the resource');
    addWaitOptions(command).action(
      run<WaitOptions & { force?: boolean }>(async (context, [id = ''], options) => {
        const { start } = await import('../actions/suspend.ts');
        await start(context, id, options);
      }),
    );
  },
};
