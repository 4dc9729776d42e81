import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** A simulator as a process of its own, on a free port. */
export interface SimulatorProcess {
  readonly child: ChildProcess;
  /** All that it has printed to both outputs so far. */
  output(): string;
  /** The base URL, once it serves; rejects when the process ends first. */
  ready(): Promise<string>;
  /** Exit code and signal. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts `vllm serve` with these arguments; `--port 0` is added. */
export function spawnSimulator(argv: readonly string[], environment: Record<string, string> = {}): SimulatorProcess {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'serve', ...argv, '--port', '0'], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], SIM_LOAD_SECONDS: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
  }));
  const url = new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString();
      const [, port] = /complete on http:\/\/\S*:(\d+)/.exec(output) ?? [];
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    void ended.then(() => reject(new Error(`The simulator ended before it served:\n${output}`)));
  });
  url.catch(() => {}); // who does not wait for it does not care
  return { child, ended, output: () => output, ready: () => url };
}
