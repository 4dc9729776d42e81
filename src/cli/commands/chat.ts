import type { ChatOptions } from '../gateway/chat.ts';
import { gatewayOption, number, wholeNumber } from '../gateway/option-values.ts';
import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'chat',
  summary: 'talk to a deployment, in the terminal or by a pipe',
  group: 'Requests',
  configure: (command, run) => {
    command
      .option('-d, --deployment <id>', 'the deployment, or ID:ADAPTER (default: the one that there is)')
      .option('-p, --prompt <text>', 'what to ask; - reads it from standard input, as without -p in a pipe')
      .option('--stdin', 'with -p: what standard input holds follows the prompt')
      .option('--system <text>', 'how the model is to behave')
      .option('--max-tokens <count>', 'the longest answer', wholeNumber(1))
      .option('--temperature <value>', '0 for the likeliest words, up to 2', number(0, 2))
      .option('--wait-timeout <seconds>', 'how long to wait for a replica that starts', wholeNumber(0), 900)
      .addOption(gatewayOption())
      .action(
        run<ChatOptions>(async (context, _, options) => {
          const { chat } = await import('../gateway/chat.ts');
          await chat(context, options);
        }),
      );
  },
};
