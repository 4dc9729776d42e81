import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'delete',
  summary: 'remove a deployment and everything that belongs to it',
  group: 'Deployments',
  configure: (command, run) =>
    command
      .argument('<id>', 'the deployment')
      .option('-y, --yes', 'without asking')
      .option('--force', 'also where Argo CD or Flux keeps the resource')
      .action(
        run<{ yes?: boolean; force?: boolean }>(async (context, [id = ''], options) => {
          const { remove } = await import('../actions/delete.ts');
          await remove(context, id, options);
        }),
      ),
};
