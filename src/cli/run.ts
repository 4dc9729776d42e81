/** One run of `infer`: from arguments to an exit code. */
import { CommanderError } from 'commander';
import type { Host } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { CliFailure, Interrupted, failureText } from './failure.ts';
import { createProgram } from './program.ts';

/** Runs the command in `args` (without node and the script) and returns its exit code; it never throws. */
export async function run(args: string[], host: Host): Promise<number> {
  try {
    if (args[0] === '__complete') {
      const { complete } = await import('./completion/complete.ts');
      await complete(args.slice(1), host);
      return EXIT.done;
    }
    await createProgram(host).parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return await end(error, host);
  }
}

async function end(error: unknown, host: Host): Promise<number> {
  if (error instanceof CommanderError) {
    // Help and version, which are no errors, end that way too.
    if (error.exitCode === 0) return EXIT.done;
    // Help that was shown because a command of commands was given alone.
    if (error.code === 'commander.help') return EXIT.wrongUse;
    const message = error.message.replace(/^error: /, '');
    host.stderr.write(failureText({ message, next: 'See "infer help", or "infer COMMAND --help".' }));
    return EXIT.wrongUse;
  }
  if (host.signal.aborted || error instanceof Interrupted) {
    if (error instanceof Interrupted) host.stderr.write(`\n${error.message}\n`);
    return EXIT.interrupted;
  }
  const { explain } = await import('./explain.ts');
  const failure = error instanceof CliFailure ? error : explain(error);
  host.stderr.write(failureText(failure));
  return failure.exitCode;
}
