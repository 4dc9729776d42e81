/** What the operator says about deployments, read from the caches when Prometheus asks. */
import { Gauge, type Registry } from 'prom-client';
import type { Caches } from './caches.ts';

/** Registers the gauges of `caches`' deployments: their replicas by state, and whether they are ready. */
export function registerDeploymentMetrics(registry: Registry, caches: Caches): void {
  // Both are set anew at each scrape, so that a deleted deployment leaves no series behind.
  const replicas = new Gauge({
    name: 'infer_deployment_replicas',
    help: 'Replicas of a deployment by state: desired, ready, starting, draining, failed.',
    labelNames: ['namespace', 'deployment', 'state'],
    registers: [],
    collect() {
      this.reset();
      for (const { metadata, status } of caches.inferenceDeployments.list()) {
        const { drainingPods: _pods, ...counts } = status?.replicas ?? {};
        for (const [state, count] of Object.entries(counts)) {
          this.set({ namespace: metadata.namespace ?? '', deployment: metadata.name, state }, count);
        }
      }
    },
  });
  const ready = new Gauge({
    name: 'infer_deployment_ready',
    help: '1 for the reason that the Ready condition of a deployment has; `status` tells whether it is True.',
    labelNames: ['namespace', 'deployment', 'status', 'reason'],
    registers: [],
    collect() {
      this.reset();
      for (const { metadata, status } of caches.inferenceDeployments.list()) {
        const summary = status?.conditions?.find((condition) => condition.type === 'Ready');
        if (!summary) continue;
        const labels = { status: summary.status, reason: summary.reason };
        this.set({ namespace: metadata.namespace ?? '', deployment: metadata.name, ...labels }, 1);
      }
    },
  });
  registry.registerMetric(replicas);
  registry.registerMetric(ready);
}
