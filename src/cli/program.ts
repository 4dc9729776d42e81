/** The tree of commands, made of their definitions. */
import { Command, Option } from 'commander';
import { GROUPS } from './commands/definition.ts';
import type { Action, Run } from './commands/definition.ts';
import { COMMANDS } from './commands/index.ts';
import { OUTPUT_FORMATS, createContext } from './context.ts';
import type { GlobalOptions, Host } from './context.ts';
import { VERSION } from './version.ts';

const DESCRIPTION = `Runs language models on the GPUs of your own Kubernetes cluster.

  infer models                          what is there to deploy, and what runs
  infer deploy MODEL --wait             run a model, and watch until it serves
  infer chat -d ID -p "Hello"           talk to it
  infer status ID                       does it serve? if not, why, and what to do`;

const EPILOGUE = `
Colours, cutting to the width and redrawing happen in a terminal only; NO_COLOR turns colours off.
"infer help COMMAND" tells of a command, "infer help exit-codes" what a script can go by.`;

/** Returns the program; its help and complaints go to the host's streams, and what ends it early is thrown. */
export function createProgram(host: Host): Command {
  const program = new Command('infer').description(DESCRIPTION);
  const helpWidth = host.stdout.isTTY === true ? (host.stdout.columns ?? 80) : 100;
  // Before the subcommands are made: they inherit it.
  program
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void host.stderr.write(text),
      // The caller writes it in the form of every error.
      outputError: () => undefined,
      getOutHelpWidth: () => helpWidth,
      getErrHelpWidth: () => helpWidth,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ showGlobalOptions: true })
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .version(VERSION, '-V, --version', 'the version of infer')
    .helpOption('-h, --help', 'this help')
    .option(
      '--kubeconfig <file>',
      'the kubeconfig (default: KUBECONFIG, then ~/.kube/config, then the pod that this runs in)',
    )
    .option('--context <name>', 'the context of the kubeconfig (default: its current one)')
    .option('-n, --namespace <name>', 'the namespace (default: that of the context)')
    .addOption(new Option('-o, --output <format>', 'the form of what is printed').choices(OUTPUT_FORMATS))
    .addHelpText('after', EPILOGUE);
  const run: Run =
    (action) =>
    async (...args) =>
      await runAction(host, action as Action<unknown>, args);
  for (const group of GROUPS) {
    for (const definition of COMMANDS.filter((one) => one.group === group)) {
      const command = program.command(definition.name).summary(definition.summary).helpGroup(`${group}:`);
      command.description(sentence(definition.summary));
      definition.configure(command, run);
    }
  }
  return program;
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
}

/** commander calls with the arguments in their order, then the options, then the command itself. */
async function runAction(host: Host, action: Action<unknown>, args: unknown[]): Promise<void> {
  const command = args.at(-1) as Command;
  const options = command.optsWithGlobals<GlobalOptions>();
  const context = createContext(host, options);
  try {
    await action(context, args.slice(0, -2).flat() as string[], options);
  } finally {
    await context.close();
  }
}
