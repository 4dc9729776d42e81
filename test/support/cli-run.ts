/** `infer` in this process, with streams that a test reads and writes. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { run } from '../../src/cli/run.ts';

// Before a test's time begins: what a command loads when it needs it takes jest seconds.
await import('../../src/cli/cluster/kubeconfig.ts');

export interface CliOptions {
  env?: Record<string, string>;
  /** What is piped in; nothing where it is absent. */
  input?: string;
  now?: Date;
}

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs it to its end, with standard streams that are pipes. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const cli = startCli(args, options);
  cli.stdin.end(options.input ?? '');
  return await cli.ended;
}

export interface RunningCli {
  readonly stdin: PassThrough & { isTTY?: boolean };
  readonly ended: Promise<CliResult>;
  stdout(): string;
  stderr(): string;
  /** Ctrl-C, where no line editor takes it. */
  interrupt(): void;
}

/** Starts it; with `terminal` the user types and reads standard error at one; standard output stays a pipe. */
export function startCli(args: readonly string[], options: CliOptions & { terminal?: boolean } = {}): RunningCli {
  const { env = {}, now, terminal = false } = options;
  const stdin: RunningCli['stdin'] = new PassThrough();
  const [stdout, stderr] = [new Captured(), new Captured()];
  if (terminal) stdin.isTTY = stderr.isTTY = true;
  const controller = new AbortController();
  const host = { stdin, stdout, stderr, env, now: () => now ?? new Date(), signal: controller.signal };
  const ended = run([...args], host).then(async (code) => {
    // What was written is there as soon as it is read.
    stdout.end();
    stderr.end();
    await Promise.all([once(stdout, 'close'), once(stderr, 'close')]);
    return { code, stdout: stdout.text, stderr: stderr.text };
  });
  return {
    stdin,
    ended,
    stdout: () => stdout.text,
    stderr: () => stderr.text,
    interrupt: () => controller.abort(),
  };
}

class Captured extends PassThrough {
  text = '';
  isTTY?: boolean;

  constructor() {
    super({ encoding: 'utf8' });
    this.on('data', (chunk: string) => (this.text += chunk));
  }
}
