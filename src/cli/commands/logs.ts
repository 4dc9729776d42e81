import type { CommandDefinition } from './definition.ts';
import { wholeNumber } from './parsers.ts';

export interface LogsOptions {
  follow?: boolean;
  previous?: boolean;
  replica?: string;
  tail?: number;
}

export const command: CommandDefinition = {
  name: 'logs',
  summary: "what the replicas' engines write, or their download where that still runs",
  group: 'Watching',
  configure: (command, run) =>
    command
      .argument('<id>', 'the deployment')
      .option('-f, --follow', 'go on as they write')
      .option('--previous', 'of the engine before its last restart')
      .option('--replica <name>', 'of one replica, by its name or the end of it (default: of all)')
      .option('--tail <lines>', 'the last lines only (default: all)', wholeNumber(0, 1_000_000))
      .action(
        run<LogsOptions>(async (context, [id = ''], options) => {
          const { logs } = await import('../actions/logs.ts');
          await logs(context, id, options);
        }),
      ),
};
