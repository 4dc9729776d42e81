/** Pure: what a deployment is, in lines for people. */
import { effectiveSpec } from '../../api/defaults.ts';
import type { CatalogModel } from '../../api/generated/catalog-model.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { HubToken } from '../hub-token.ts';
import { modelOf } from './deployments.ts';

/** Returns what was created, a line for each part of it. */
export function planLines(
  deployment: InferenceDeployment,
  { entry, token }: { entry: CatalogModel | undefined; token: HubToken | undefined },
): string[] {
  const { metadata, spec } = deployment;
  const { hardwareProfile } = effectiveSpec(spec);
  const { revision, tokenSecretRef } = spec.model;
  const recommended = entry?.spec.hardwareProfile === hardwareProfile ? ', as the catalogue recommends' : '';
  const rows: [string, string][] = [
    ['Model', `${modelOf(deployment)}${revision === undefined ? '' : ` at ${revision}`}`],
    ['Profile', `${hardwareProfile}${recommended}`],
    ['Replicas', replicasText(deployment)],
    ['Targets', targetsText(deployment)],
  ];
  if (entry?.spec.engine !== undefined) rows.push(['Engine', 'settings of the catalogue']);
  if (tokenSecretRef !== undefined) {
    rows.push(['Token', `Secret ${tokenSecretRef.name}${token === undefined ? '' : ` (${token.source})`}`]);
  }
  return [
    `${metadata.name} is created in namespace ${metadata.namespace}:`,
    ...rows.map(([name, text]) => `  ${name.padEnd(9)} ${text}`),
  ];
}

/** Returns the bounds in words. */
export function replicasText({ spec }: InferenceDeployment): string {
  const { minReplicas, maxReplicas } = effectiveSpec(spec);
  if (minReplicas === maxReplicas) return `${minReplicas}`;
  return `${minReplicas} to ${maxReplicas}${minReplicas === 0 ? ' (sleeps without requests)' : ''}`;
}

/** Returns the scaling targets in words. */
export function targetsText({ spec }: InferenceDeployment): string {
  const { targetRps, targetLatencyP95Ms, stabilizationWindowSeconds } = effectiveSpec(spec).scaling;
  return `${targetRps} requests/s per replica, 95 of 100 within ${targetLatencyP95Ms} ms, down after ${stabilizationWindowSeconds} s of less load`;
}
