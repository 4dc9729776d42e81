/** Metering, put together for a process. */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { APIKey } from '../../api/generated/api-key.ts';
import type { Informer } from '../../kube/informer.ts';
import type { BatchUpstream } from '../proxy/batch-process.ts';
import type { Deployment } from '../types.ts';
import { UsageLedger } from './ledger.ts';
import { Meter } from './meter.ts';
import { MeterMetrics } from './metrics.ts';
import { UsageReporter } from './reporter.ts';

export interface Metering {
  readonly meter: Meter;
  /** Begins to tell the batch process. */
  start(): void;
  /** Tells it the rest; call it when no request is left. */
  close(): Promise<void>;
  /** Removes the series of a deployment that was deleted. */
  forget(deployment: Deployment): void;
}

/**
 * Returns what counts the use of the keys of an informer, which is not to be started before. `upstream` is the batch process,
 * on REPORTS_TOGETHER connections of its own; without one there are metrics alone.
 */
export function createMetering(options: {
  metrics: Registry;
  apiKeys: Pick<Informer<APIKey>, 'get' | 'onChange'>;
  upstream: BatchUpstream | undefined;
  logger: Logger;
}): Metering {
  const { apiKeys, upstream, logger } = options;
  const metrics = new MeterMetrics({
    registry: options.metrics,
    keyExists: (key) => apiKeys.get(key) !== undefined,
  });
  const removed = (series: Promise<void>): void =>
    void series.catch((error: unknown) => logger.error({ err: error }, 'metrics'));
  apiKeys.onChange(({ type, object: { metadata } }) => {
    const { namespace = '', name } = metadata;
    if (type === 'deleted') removed(metrics.forgetKey({ namespace, name }));
  });
  const ledger =
    upstream &&
    new UsageLedger((rows) => {
      metrics.dropped(rows);
      logger.error({ rows }, 'use of the oldest hours is given up: the batch process has taken none for too long');
    });
  const meter = new Meter({ metrics, ledger, now: Date.now });
  const reporter = ledger && new UsageReporter({ upstream, ledger, meter, metrics, logger, now: Date.now });
  return {
    meter,
    start: () => reporter?.start(),
    close: async () => await reporter?.close(),
    forget: (deployment) => removed(metrics.forgetDeployment(deployment)),
  };
}
