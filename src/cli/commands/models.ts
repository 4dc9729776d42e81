import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'models',
  summary: 'the catalogue of models, and which of them run',
  group: 'Deployments',
  configure: (command, run) =>
    command.option('-A, --all', 'the deployments of all namespaces').action(
      run<{ all?: boolean }>(async (context, _, options) => {
        const { models } = await import('../actions/models.ts');
        await models(context, options);
      }),
    ),
};
