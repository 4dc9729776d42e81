/** The built `infer` as a process, as users run it. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPOSITORY } from './operator-process.ts';

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  env?: Record<string, string>;
  /** What standard input holds; it is empty where this is absent. */
  input?: string;
  /** Is given all of standard output as it grows. */
  onOutput?: (stdout: string) => void;
  /** Sends Ctrl-C as soon as standard error holds this. */
  interruptAt?: string;
}

export class Cli {
  readonly #folder: string;
  readonly #env: Record<string, string>;

  private constructor(folder: string, env: Record<string, string>) {
    this.#folder = folder;
    this.#env = env;
  }

  /** Builds the CLI into a folder of its own, to be run with this environment. */
  static build(env: Record<string, string>): Cli {
    const folder = mkdtempSync(join(tmpdir(), 'infer-cli-'));
    const script = `import { buildCli } from './build/cli-package.ts'; await buildCli(${JSON.stringify(folder)});`;
    const args = ['--input-type=module', '--eval', script];
    execFileSync(process.execPath, args, { cwd: REPOSITORY, stdio: 'pipe' });
    return new Cli(folder, env);
  }

  /** Runs `infer` with `args` and returns what it wrote and its exit code. */
  async run(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
    const child = spawn(process.execPath, [join(this.#folder, 'infer.js'), ...args], {
      env: { PATH: process.env['PATH'], HOME: this.#folder, ...this.#env, ...options.env },
      stdio: 'pipe',
    });
    const result = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      result.stdout += text;
      options.onOutput?.(result.stdout);
    });
    let { interruptAt } = options;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      result.stderr += text;
      if (interruptAt === undefined || !result.stderr.includes(interruptAt)) return;
      // Once: a second one ends it at once.
      interruptAt = undefined;
      child.kill('SIGINT');
    });
    // One that reads nothing may have ended by then.
    child.stdin.on('error', () => undefined).end(options.input ?? '');
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, ...result };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
