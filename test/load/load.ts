/** The load generator for tests: in a process of its own, which the work of the test does not slow down. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { LoadOptions } from './generator.ts';
import type { LoadReport } from './report.ts';

export type { LoadOptions } from './generator.ts';
export { formatReport, zeroFailedViolation, type LoadReport } from './report.ts';

/** What the process is told. */
export type LoadCommand = { start: LoadOptions } | { phase: string } | { stop: true };

/** A load that runs. */
export interface RunningLoad {
  /** Requests that arrive from now on count for the phase `name`. */
  phase(name: string): void;
  /** Ends the arrivals and returns the report when every request has its end. Rejects when the process died. */
  stop(): Promise<LoadReport>;
}

/** Starts a load. It ends with `stop`, after its duration, or with this process. */
export function startLoad(options: LoadOptions): RunningLoad {
  const child = fork(join(import.meta.dirname, 'child.ts'), {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const report = new Promise<LoadReport>((resolve, reject) => {
    child.once('message', (message) => resolve(message as unknown as LoadReport));
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(new Error(`The load generator ended with ${signal ?? code} before it had a report.`));
    });
  });
  report.catch(() => undefined); // told by stop()
  const tell = (command: LoadCommand): void => {
    if (child.connected) child.send(command);
  };
  tell({ start: options });
  return {
    phase: (name) => tell({ phase: name }),
    stop: async () => {
      tell({ stop: true });
      return await report;
    },
  };
}
