import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'version',
  summary: 'the version of infer, and of the cluster that it speaks to',
  group: 'Setting up',
  configure: (command, run) =>
    command.option('--client', 'only the version of infer; asks no cluster').action(
      run<{ client?: boolean }>(async (context, _, options) => {
        const { version } = await import('../actions/version.ts');
        await version(context, options);
      }),
    ),
};
