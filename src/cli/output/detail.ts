/** Pure: all that is known of one deployment, as lines of text. */
import { effectiveSpec } from '../../api/defaults.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { findCondition } from '../../kube/conditions.ts';
import { keeperOf } from '../gitops.ts';
import { modelOf } from './deployments.ts';
import { duration } from './durations.ts';
import { replicasText, targetsText } from './plan.ts';
import { usedTime } from './usage.ts';

/** Returns name and text of each fact, in the order in which they are shown; a fact that is not known is left out. */
export function facts(deployment: InferenceDeployment, now: Date): [string, string][] {
  const { metadata, spec, status = {} } = deployment;
  const { replicas, scaling, endpoint, update } = status;
  const limited = findCondition(status.conditions, 'ScalingLimited');
  const rows: [string, string | undefined][] = [
    ['Namespace', metadata.namespace],
    ['Model', modelText(deployment)],
    ['Profile', effectiveSpec(spec).hardwareProfile],
    ['Endpoint', endpoint?.baseUrl && `${endpoint.baseUrl}, model ${endpoint.model ?? metadata.name}`],
    ['Aliases', spec.aliases?.join(', ')],
    ['Adapters', spec.adapters?.map(({ name }) => `${metadata.name}:${name}`).join(', ')],
    ['Replicas', replicas && replicaCounts(deployment)],
    ['Scaling', scaling?.message && `${scaling.reason}: ${scaling.message}`],
    ['Limited by', limited?.status === 'True' ? `${limited.reason}: ${limited.message}` : undefined],
    ['Traffic', trafficText(deployment)],
    ['Targets', targetsText(deployment)],
    ['Cost', costText(deployment)],
    ['Used', usedText(deployment, now)],
    [
      'Newer',
      update?.available === true ? `${update.reasons?.join(', ')}; take it: infer update ${metadata.name}` : undefined,
    ],
    ['Kept by', keeperText(deployment)],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== undefined && row[1] !== '');
}

function modelText(deployment: InferenceDeployment): string {
  const { spec, status } = deployment;
  const { commit, contextLength, license } = status?.model ?? {};
  const at = commit?.slice(0, 12) ?? spec.model.revision;
  const known = [license, contextLength === undefined ? undefined : `${contextLength} tokens of context`];
  return [
    `${modelOf(deployment)}${at === undefined ? '' : ` at ${at}`}`,
    ...known.filter((one) => one !== undefined),
  ].join(', ');
}

function replicaCounts(deployment: InferenceDeployment): string {
  const { ready = 0, desired = 0, starting = 0, draining = 0, failed = 0 } = deployment.status?.replicas ?? {};
  const others = Object.entries({ starting, draining, failed }).flatMap(([name, count]) =>
    count === 0 ? [] : [`${count} ${name}`],
  );
  return `${[`${ready} of ${desired} ready`, ...others].join(', ')}; bounds ${replicasText(deployment)}`;
}

function trafficText({ status }: InferenceDeployment): string | undefined {
  const { requestsPerSecond, latencyP95Ms } = status?.scaling ?? {};
  if (requestsPerSecond === undefined) return undefined;
  return `${requestsPerSecond} requests/s${latencyP95Ms === undefined ? '' : `, 95 of 100 within ${latencyP95Ms} ms`}`;
}

function costText({ status }: InferenceDeployment): string | undefined {
  const { currency = '', perHour, perMillionTokens } = status?.cost ?? {};
  if (perHour === undefined) return undefined;
  const perDay = (Number(perHour) * 24).toFixed(2);
  const tokens = perMillionTokens === undefined ? '' : `, ${perMillionTokens} ${currency} a million tokens`;
  return `${perHour} ${currency} an hour (${perDay} a day)${tokens}`;
}

function usedText({ status = {} }: InferenceDeployment, now: Date): string | undefined {
  const used = usedTime(status, now);
  if (used === undefined) return undefined;
  const gpus = used.gpuSeconds > 0 ? `, ${duration(used.gpuSeconds)} of GPUs` : '';
  const cost = used.cost === undefined ? '' : `; ${used.cost} at the present price`;
  return `${duration(used.replicaSeconds)} of replicas${gpus}${cost}`;
}

function keeperText({ metadata }: InferenceDeployment): string | undefined {
  const keeper = keeperOf(metadata);
  if (keeper === undefined) return undefined;
  return `${keeper.isGuess === true ? 'probably ' : ''}${keeper.tool} (${keeper.name}): change it in Git`;
}
