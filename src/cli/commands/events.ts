import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'events',
  summary: 'what happened to a deployment and its replicas, the newest last',
  group: 'Watching',
  configure: (command, run) =>
    command.argument('<id>', 'the deployment').action(
      run(async (context, [id = '']) => {
        const { events } = await import('../actions/events.ts');
        await events(context, id);
      }),
    ),
};
