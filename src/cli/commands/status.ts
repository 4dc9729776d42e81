import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'status',
  summary: 'whether deployments serve and, if not, why and what to do',
  group: 'Watching',
  configure: (command, run) =>
    command
      .argument('[id]', 'one deployment, in detail (default: a line for each)')
      .option('-A, --all', 'the deployments of all namespaces')
      .action(
        run<{ all?: boolean }>(async (context, [id], options) => {
          const { statusOf, statusOfAll } = await import('../actions/status.ts');
          await (id === undefined ? statusOfAll(context, options) : statusOf(context, id));
        }),
      ),
};
