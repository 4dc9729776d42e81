#!/usr/bin/env node
import { EXIT } from './exit-codes.ts';
import { failureText } from './failure.ts';
import { OLDEST_NODE, isTooOld } from './oldest-node.ts';

if (isTooOld(process.versions.node)) {
  const message = `infer needs Node ${OLDEST_NODE} or newer; this is Node ${process.versions.node}.`;
  process.stderr.write(failureText({ message, next: 'Install a newer one: https://nodejs.org' }));
  process.exitCode = EXIT.wrongUse;
} else await main();

async function main(): Promise<void> {
  const interrupt = new AbortController();
  // The second Ctrl-C ends the process at once.
  process.once('SIGINT', () => interrupt.abort());
  // `infer status | head -1`: who reads no more has all that he wants.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  // Nobody reads what is said beside it: the result and the exit code stay.
  process.stderr.on('error', () => undefined);

  // What it loads may not even be read by an older Node.
  const { run } = await import('./run.ts');
  process.exitCode = await run(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    now: () => new Date(),
    signal: interrupt.signal,
  });
}
