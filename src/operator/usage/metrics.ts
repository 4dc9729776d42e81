/** Time and cost of replicas for Prometheus, from the checkpoint in the status and what has happened since. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { totalsAt, type Totals } from '../../api/replica-time.ts';
import type { Caches } from '../caches.ts';
import { advance, unseen } from './checkpoint.ts';
import type { DepartedPods } from './departed-pods.ts';

/** Registers the time that the replicas of `caches`' deployments have had their places, and what they cost. */
export function registerUsageMetrics(
  registry: Registry,
  caches: Pick<Caches, 'inferenceDeployments' | 'pods'>,
  departed: Pick<DepartedPods, 'lives'>,
): void {
  // An end is told a moment late, and a counter that goes back would count as one that began anew.
  const highest = new Map<string, Totals>();
  caches.inferenceDeployments.onChange(({ type, object }) => {
    if (type === 'deleted') highest.delete(object.metadata.uid ?? '');
  });
  const totalsOf = (resource: ReturnType<Caches['inferenceDeployments']['list']>[number]): Totals | undefined => {
    const { namespace = '', uid = '' } = resource.metadata;
    const key = `${namespace}/${uid}`;
    const lives = departed.lives(key, caches.pods.byIndex('deployment', key));
    // It went unseen, and until when it counts the leader's next pass tells: the sum without it would jump then.
    if (unseen(resource.status?.usage, lives).length > 0) return highest.get(uid);
    const usage = advance(resource.status?.usage, lives, Number.NEGATIVE_INFINITY) ?? {};
    const now = totalsAt(usage, Date.now() / 1_000);
    const before = highest.get(uid);
    const totals = {
      replicaSeconds: Math.max(now.replicaSeconds, before?.replicaSeconds ?? 0),
      gpuSeconds: Math.max(now.gpuSeconds, before?.gpuSeconds ?? 0),
    };
    highest.set(uid, totals);
    return totals;
  };
  const counter = (name: string, help: string, value: (totals: Totals) => number): void => {
    registry.registerMetric(
      new Counter({
        name,
        help,
        labelNames: ['namespace', 'deployment'],
        registers: [],
        collect() {
          this.reset();
          for (const resource of caches.inferenceDeployments.list()) {
            const { namespace = '', name: deployment } = resource.metadata;
            const totals = totalsOf(resource);
            if (totals !== undefined) this.inc({ namespace, deployment }, value(totals));
          }
        },
      }),
    );
  };
  counter(
    'infer_deployment_replica_seconds_total',
    'Time that the replicas of a deployment have had their places, from scheduled to ended.',
    ({ replicaSeconds }) => replicaSeconds,
  );
  counter(
    'infer_deployment_gpu_seconds_total',
    'The same with each replica counted as often as it has accelerators.',
    ({ gpuSeconds }) => gpuSeconds,
  );
  registry.registerMetric(
    new Gauge({
      name: 'infer_deployment_cost_per_hour',
      help: 'What the replicas of a deployment that have their places cost per hour, by the price in the hardware profile.',
      labelNames: ['namespace', 'deployment', 'currency'],
      registers: [],
      collect() {
        this.reset();
        for (const { metadata, status } of caches.inferenceDeployments.list()) {
          const { currency, perHour } = status?.cost ?? {};
          if (currency === undefined || perHour === undefined) continue;
          this.set({ namespace: metadata.namespace ?? '', deployment: metadata.name, currency }, Number(perHour));
        }
      },
    }),
  );
}
