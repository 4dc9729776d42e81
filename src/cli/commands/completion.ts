import { Argument } from 'commander';
import type { CommandDefinition } from './definition.ts';

const INSTALL = `
Once, for all shells to come:
  bash   echo 'source <(infer completion bash)' >> ~/.bashrc
  zsh    echo 'source <(infer completion zsh)' >> ~/.zshrc
  fish   infer completion fish > ~/.config/fish/completions/infer.fish`;

export const command: CommandDefinition = {
  name: 'completion',
  summary: 'the script that completes commands, flags and deployments in a shell',
  group: 'Setting up',
  configure: (command, run) =>
    command
      .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
      .addHelpText('after', INSTALL)
      .action(
        run(async (context, [shell = '']) => {
          const { SCRIPTS } = await import('../completion/scripts.ts');
          context.print(SCRIPTS[shell] ?? '');
        }),
      ),
};
