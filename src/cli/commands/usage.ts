import { Option } from 'commander';
import { gatewayOption, list } from '../gateway/option-values.ts';
import type { UsageOptions } from '../gateway/usage.ts';
import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'usage',
  summary: 'tokens, requests, replica time and cost by day, deployment and key',
  group: 'Watching',
  configure: (command, run) => {
    command
      .option('--since <when>', 'how long ago (30d, 12h) or a day (2027-01-31)', '30d')
      .addOption(
        new Option('--by <what>', 'what is told apart, of day, hour, deployment, key (default: deployment)').argParser(
          list,
        ),
      )
      .option('--csv', 'as CSV, with plain numbers and without the sum')
      .addOption(gatewayOption())
      .action(
        run<Omit<UsageOptions, 'by'> & { by?: string[] }>(async (context, _, options) => {
          const { usage } = await import('../gateway/usage.ts');
          await usage(context, { ...options, by: options.by ?? ['deployment'] });
        }),
      );
  },
};
