import type { Command } from 'commander';
import { EXIT_CODE_MEANINGS } from '../exit-codes.ts';
import { CliFailure } from '../failure.ts';
import { EXIT } from '../exit-codes.ts';
import type { CommandDefinition } from './definition.ts';

export const command: CommandDefinition = {
  name: 'help',
  summary: 'help of a command, or of exit-codes',
  group: 'Setting up',
  configure: (command, run) =>
    command.argument('[topic...]', 'a command, or exit-codes').action(
      run(async (context, topic) => {
        if (topic.join(' ') === 'exit-codes') {
          for (const [code, meaning] of EXIT_CODE_MEANINGS) context.print(`${String(code).padStart(4)}  ${meaning}`);
          return await Promise.resolve();
        }
        return find(command.parent ?? command, topic).help();
      }),
    ),
};

function find(program: Command, words: readonly string[]): Command {
  let found = program;
  for (const word of words) {
    const next = found.commands.find((one) => one.name() === word);
    if (next === undefined) {
      throw new CliFailure(`There is no command ${words.join(' ')}.`, 'See: infer --help', EXIT.wrongUse);
    }
    found = next;
  }
  return found;
}
