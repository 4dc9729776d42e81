/** A process of the product as it runs in a cluster: only so can it be killed at any moment. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from './eventually.ts';

export class LoggedProcess {
  readonly #child: ChildProcess;
  #log = '';
  /** The exit code, null where a signal ended it. */
  readonly exit: Promise<number | null>;

  /** Starts `entry` with this environment and PATH. */
  constructor(entry: string, environment: Record<string, string>) {
    this.#child = spawn(process.execPath, [entry], {
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log += text;
      });
    }
    // Not 'exit': its last words may come after that.
    this.exit = once(this.#child, 'close').then(([code]) => code as number | null);
  }

  /** All that it wrote so far. */
  get log(): string {
    return this.#log;
  }

  /** Undefined where it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends the signal and returns at once. */
  signal(signal: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    if (this.running) this.#child.kill(signal);
  }

  /** Sends the signal and returns the exit code, null where the signal ended it. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    this.signal(signal);
    return await this.exit;
  }

  /** The URL of the port that it logs in this field, once it has. */
  protected async urlOf(field: string): Promise<string> {
    const port = await eventually(() => {
      const value = this.logged(field);
      if (value === undefined) throw new Error(`The process has not logged its ${field}:\n${this.log}`);
      return value;
    }, 30_000);
    return `http://127.0.0.1:${port}`;
  }

  /** The first number that the log has in this field. */
  protected logged(field: string): number | undefined {
    const value = new RegExp(`"${field}":(\\d+)`).exec(this.#log)?.[1];
    return value === undefined ? undefined : Number(value);
  }
}
