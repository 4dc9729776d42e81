import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from './user-error.ts';

/** How `run` starts a command. */
export interface RunOptions {
  cwd?: string;
  /** Added to this process's environment. */
  env?: Record<string, string>;
  /** Written to standard input, which is closed after it. */
  input?: string;
  /**
   * Ends the command when this process ends, even when that is killed: for commands that change a cluster, which the
   * next command would find changing while it removes it. Linux only, by setpriv of util-linux.
   */
  endWithParent?: boolean;
  /** After this many milliseconds the command is killed and counts as failed; absent means no limit. */
  timeoutMs?: number;
}

/** What a command that ended has left. */
export interface RunResult {
  /** The exit code, or -1 where a signal ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Where commands are looked for: also where system administration's are, which `su` may leave out of PATH. */
export function searchPath(): string {
  return `${process.env['PATH'] ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;
}

/** Returns the absolute path of an installed command, or undefined. */
export function findCommand(name: string): string | undefined {
  return searchPath()
    .split(':')
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
}

/**
 * Runs a command to its end and returns its exit code and output, whatever the code is.
 * Throws a UserError when the command is not installed.
 */
export async function tryRun(command: string, args: string[], options: RunOptions = {}): Promise<RunResult> {
  const bound = options.endWithParent === true && process.platform === 'linux' && findCommand(command) !== undefined;
  const [program, ...programArguments] = bound
    ? ['setpriv', '--pdeathsig', 'KILL', command, ...args]
    : [command, ...args];
  return await new Promise<RunResult>((resolve, reject) => {
    const child = spawn(program, programArguments, {
      cwd: options.cwd,
      env: { ...process.env, PATH: searchPath(), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'ENOENT' ? new UserError(`The command ${command} is not installed; install it first.`) : error,
      );
    });
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    // A command that ends before it has read its input is judged by its exit code, not by the broken pipe.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/**
 * Runs a command and returns its standard output.
 * Throws an Error that names the command and ends with the last lines of its output when it fails.
 */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryRun(command, args, options);
  if (code !== 0) {
    const said = (stderr.trim() || stdout.trim()).split('\n').slice(-15).join('\n');
    throw new Error(`\`${[command, ...args].join(' ')}\` ended with code ${code}: ${said}`);
  }
  return stdout;
}
