/** Pure: the columns of `infer top`. */
import { effectiveSpec } from '../../api/defaults.ts';
import type {
  InferenceDeployment,
  InferenceDeploymentStatusReplicas,
} from '../../api/generated/inference-deployment.ts';
import { reasonOf, toneOf } from './deployments.ts';
import type { Column } from './table.ts';

/** Returns the columns; with `namespace` also that. */
export function topColumns({ namespace }: { namespace: boolean }): Column<InferenceDeployment>[] {
  const columns: Column<InferenceDeployment>[] = [
    { header: 'ID', value: ({ metadata }) => metadata.name },
    { header: 'RPS', value: ({ status }) => status?.scaling?.requestsPerSecond ?? '-', align: 'right' },
    { header: 'P95(MS)', value: ({ status }) => String(status?.scaling?.latencyP95Ms ?? '-'), align: 'right' },
    {
      header: 'TARGET',
      value: ({ spec }) => String(effectiveSpec(spec).scaling.targetLatencyP95Ms),
      align: 'right',
      drop: 2,
    },
    { header: 'READY', value: (one) => `${counts(one).ready ?? 0}/${counts(one).desired ?? 0}` },
    { header: 'STARTING', value: (one) => String(counts(one).starting ?? 0), align: 'right', drop: 3 },
    { header: 'DRAINING', value: (one) => String(counts(one).draining ?? 0), align: 'right', drop: 4 },
    { header: 'FAILED', value: (one) => String(counts(one).failed ?? 0), align: 'right', drop: 5 },
    { header: 'SCALING', value: ({ status }) => status?.scaling?.reason ?? '' },
    { header: 'STATUS', value: reasonOf, tone: toneOf },
    { header: 'COST/H', value: ({ status }) => status?.cost?.perHour ?? '', align: 'right', drop: 1 },
  ];
  return namespace ? [{ header: 'NAMESPACE', value: ({ metadata }) => metadata.namespace ?? '' }, ...columns] : columns;
}

function counts({ status }: InferenceDeployment): InferenceDeploymentStatusReplicas {
  return status?.replicas ?? {};
}
