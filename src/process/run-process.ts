/** How every process begins and ends. */
import { pino, type Logger } from 'pino';
import { assertNodeVersion } from '../node-version.ts';
import type { Environment } from './environment.ts';

export interface ProcessOptions<Settings extends { logLevel: string }> {
  /** As each line of its log names it. */
  name: string;
  /** Throws an Error that names a variable that is wrong. */
  readSettings: (environment: Environment) => Settings;
  /** Runs until `stop` aborts, which a signal does, and what is under way has ended. */
  run: (settings: Settings, logger: Logger, stop: AbortSignal) => Promise<void>;
  /** Called for a rejection that nobody handles, which is a defect; one that only logs it unless given. */
  onDefect?: (reason: unknown, logger: Logger) => void;
}

/** Runs the process to its end: exits with 0 after an orderly one, with 1 and the error's message after another. */
export function runProcess<Settings extends { logLevel: string }>(options: ProcessOptions<Settings>): void {
  runToEnd(options).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exit(1);
    },
  );
}

async function runToEnd<Settings extends { logLevel: string }>(options: ProcessOptions<Settings>): Promise<void> {
  assertNodeVersion(process.version);
  const settings = options.readSettings(process.env);
  const logger = pino({ level: settings.logLevel, base: { process: options.name } });
  // A defect in one request must not cut all others.
  const { onDefect = (reason) => logger.error({ err: reason }, 'unhandled rejection') } = options;
  process.on('unhandledRejection', (reason) => onDefect(reason, logger));
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      logger.info({ signal }, 'stopping');
      stop.abort(new Error(`stopped by ${signal}`));
    });
  }
  await options.run(settings, logger, stop.signal);
  logger.info({}, 'stopped');
}
