/** Entry of the operator process. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import { runProcess } from '../process/run-process.ts';
import { InferenceOperator } from './inference-operator.ts';
import { readSettings } from './settings.ts';

runProcess({
  name: 'operator',
  readSettings,
  run: async (settings, logger, stop) => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const operator = new InferenceOperator(settings, registry, logger);
    stop.addEventListener('abort', () => operator.stop(), { once: true });
    await operator.start();
    await operator.stopped;
  },
  // A defect must not leave a process that holds the Lease and does nothing: end, and be started again.
  onDefect: (reason, logger) => {
    logger.fatal({ err: reason }, 'unhandled rejection; ending');
    process.exit(1);
  },
});
