import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** A program that runs beside this process and can be killed and started again with the same arguments. */
export interface RestartableProcess {
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /** Sends the signal and returns when the program has ended; does nothing when it does not run. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it unless it runs, and returns when it is ready. Throws with the end of its log when it ends instead. */
  start(): Promise<void>;
}

/** What `restartableProcess` needs to know of a program. */
export interface ProcessSpecification {
  name: string;
  command: string;
  arguments: string[];
  logFile: string;
  /** Returns when the program is ready to be used. */
  ready: () => Promise<unknown>;
}

async function lastLines(file: string): Promise<string> {
  return (await readFile(file, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-10).join('\n');
}

/** Returns a program that does not run yet. It ends with this process, on Linux even when that is killed. */
export function restartableProcess(specification: ProcessSpecification): RestartableProcess {
  const { name, command, logFile } = specification;
  let child: ChildProcess | undefined;
  let ended: Promise<unknown> = Promise.resolve();

  const spawnChild = (): void => {
    const log = openSync(logFile, 'a');
    const stdio = ['ignore', log, log] as ['ignore', number, number];
    // setpriv (util-linux) asks the kernel to kill the program when its parent dies, then becomes the program.
    const started =
      process.platform === 'linux'
        ? spawn('setpriv', ['--pdeathsig', 'KILL', command, ...specification.arguments], { stdio })
        : spawn(command, specification.arguments, { stdio });
    closeSync(log);
    child = started;
    ended = Promise.race([once(started, 'exit'), once(started, 'error')])
      .catch(() => undefined)
      .then(() => (child = undefined));
  };

  return {
    get pid() {
      return child?.pid;
    },
    async kill(signal) {
      child?.kill(signal);
      await ended;
    },
    async start() {
      if (child !== undefined) return;
      spawnChild();
      const failed = ended.then(async () => {
        throw new Error(`${name} ended instead of getting ready; the end of ${logFile}:\n${await lastLines(logFile)}`);
      });
      await Promise.race([specification.ready(), failed]);
      // From here on an end of the program is the caller's own doing or seen by its clients.
      failed.catch(() => undefined);
    },
  };
}
