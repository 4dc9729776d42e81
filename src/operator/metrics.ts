/** What the operator says about deployments, read from the caches when Prometheus asks. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Decision } from '../autoscaler/decision.ts';
import type { Scaler } from '../autoscaler/scaler.ts';
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
        const { drainingPods: _draining, pods: _pods, ...counts } = status?.replicas ?? {};
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

/** Registers what the scaler decides; `current` is undefined while this process does not lead. */
export function registerScalingMetrics(
  registry: Registry,
  caches: Caches,
  current: () => Scaler | undefined,
): { onDecision: (decision: Decision) => void } {
  const decisions = new Counter({
    name: 'infer_scaling_decisions_total',
    help: 'Decisions on the number of replicas of deployments with load, by what decided.',
    labelNames: ['reason'],
    registers: [registry],
  });
  const desired = new Gauge({
    name: 'infer_scaling_desired_replicas',
    help: 'Replicas that the scaler wants of a deployment.',
    labelNames: ['namespace', 'deployment'],
    registers: [],
    collect() {
      this.reset();
      for (const { metadata, status } of caches.inferenceDeployments.list()) {
        const count = status?.scaling?.desiredReplicas;
        if (count !== undefined) this.set({ namespace: metadata.namespace ?? '', deployment: metadata.name }, count);
      }
    },
  });
  const candidates = new Gauge({
    name: 'infer_scaling_candidate_replicas',
    help: 'Replicas that each signal by itself would have of a deployment with load, at the last decision.',
    labelNames: ['namespace', 'deployment', 'candidate'],
    registers: [],
    collect() {
      this.reset();
      for (const [uid, counts] of current()?.candidates() ?? []) {
        const metadata = caches.inferenceDeployments.byIndex('uid', uid)[0]?.metadata;
        if (metadata === undefined) continue;
        for (const [candidate, count] of Object.entries(counts)) {
          this.set({ namespace: metadata.namespace ?? '', deployment: metadata.name, candidate }, count);
        }
      }
    },
  });
  registry.registerMetric(desired);
  registry.registerMetric(candidates);
  return { onDecision: ({ reason }) => decisions.inc({ reason }) };
}
