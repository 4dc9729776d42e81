/** What the gateway knows of replicas, read from the registry when Prometheus asks. */
import { Gauge, type Registry } from 'prom-client';
import type { TrackedDeployment } from './tracked-deployment.ts';

/** Registers the gauges of the replicas and of the work that this gateway has given them. */
export function registerReplicaMetrics(metrics: Registry, registry: { all(): TrackedDeployment[] }): void {
  // Each is set anew at each scrape, so that a deleted deployment leaves no series behind.
  const gauge = (name: string, help: string, value: (deployment: TrackedDeployment) => number): void => {
    metrics.registerMetric(
      new Gauge({
        name,
        help,
        labelNames: ['namespace', 'deployment'],
        registers: [],
        collect() {
          this.reset();
          for (const deployment of registry.all()) {
            this.set({ namespace: deployment.namespace, deployment: deployment.name }, value(deployment));
          }
        },
      }),
    );
  };
  gauge(
    'infer_gateway_serving_replicas',
    'Replicas that this gateway may send requests to.',
    (deployment) => deployment.replicas().filter(({ serving }) => serving).length,
  );
  gauge('infer_gateway_replica_requests', 'Requests of this gateway that replicas work on.', (deployment) =>
    sum(deployment, 'inFlight'),
  );
  gauge(
    'infer_gateway_replica_tokens',
    'Estimated tokens, of prompts and answers, of the requests in flight.',
    (deployment) => sum(deployment, 'outstandingTokens'),
  );
}

function sum(deployment: TrackedDeployment, of: 'inFlight' | 'outstandingTokens'): number {
  return deployment.replicas().reduce((total, replica) => total + replica[of], 0);
}
