import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'top',
  summary: 'load, latency and replicas, live in a terminal and once in a pipe',
  group: 'Watching',
  configure: (command, run) =>
    command
      .argument('[id]', 'one deployment with its replicas (default: a line for each)')
      .option('-A, --all', 'the deployments of all namespaces')
      .action(
        run<{ all?: boolean }>(async (context, [id], options) => {
          const { top } = await import('../actions/top.ts');
          await top(context, id, options);
        }),
      ),
};
