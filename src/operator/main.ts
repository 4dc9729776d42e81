/** Entry of the operator process. */
import { pino } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { assertNodeVersion } from '../node-version.ts';
import { InferenceOperator } from './inference-operator.ts';
import { readSettings } from './settings.ts';

async function main(): Promise<void> {
  assertNodeVersion(process.version);
  const settings = readSettings(process.env);
  const logger = pino({ level: settings.logLevel, base: { process: 'operator' } });
  // A defect must not leave a process that holds the Lease and does nothing: end, and be started again.
  process.on('unhandledRejection', (reason) => {
    logger.fatal({ err: reason }, 'unhandled rejection; ending');
    process.exit(1);
  });
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const operator = new InferenceOperator(settings, registry, logger);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      logger.info({ signal }, 'stopping');
      operator.stop();
    });
  }
  await operator.start();
  await operator.stopped;
  logger.info({}, 'stopped');
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
