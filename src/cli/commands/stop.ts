import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'stop',
  summary: 'end the replicas of a deployment and keep its resource',
  group: 'Deployments',
  configure: (command, run) =>
    command
      .argument('<id>', 'the deployment')
      .option('--force', 'also where Argo CD or Flux keeps the resource')
      .action(
        run<{ force?: boolean }>(async (context, [id = ''], options) => {
          const { stop } = await import('../actions/suspend.ts');
          await stop(context, id, options);
        }),
      ),
};
