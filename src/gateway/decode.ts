/** Pure: what a gateway keeps of the resources that it watches: what requests and the view of deployments need, no more. */
import type { InferenceDeployment, InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import type { ObjectMeta } from '../kube/types.ts';

/** Returns the part of a deployment that is kept. */
export function decodeDeployment({ metadata, spec, status }: InferenceDeployment): InferenceDeployment {
  const { id, claim } = spec.model;
  return {
    metadata: identityOf(metadata),
    spec: {
      model: { ...(id !== undefined && { id }), ...(claim && { claim }) },
      ...pick(spec, [
        'hardwareProfile',
        'minReplicas',
        'maxReplicas',
        'holdTimeoutSeconds',
        'suspend',
        'aliases',
        'allowKeysFrom',
      ]),
      ...(spec.scaling && { scaling: pick(spec.scaling, ['targetRps', 'targetLatencyP95Ms']) }),
      ...(spec.adapters && { adapters: spec.adapters.map(({ name }) => ({ name })) }),
    },
    ...(status && { status: decodeStatus(status) }),
  };
}

function decodeStatus({ conditions, endpoint, replicas, scaling, cost }: InferenceDeploymentStatus) {
  return {
    ...(conditions && {
      conditions: conditions.map((condition) =>
        pick(condition, ['type', 'status', 'reason', 'message', 'lastTransitionTime']),
      ),
    }),
    ...(endpoint?.baseUrl !== undefined && { endpoint: { baseUrl: endpoint.baseUrl } }),
    ...(replicas && { replicas }),
    ...(scaling && {
      scaling: {
        ...pick(scaling, ['desiredReplicas', 'reason', 'message', 'lastScaleTime', 'recent']),
        ...(scaling.learned && { learned: pick(scaling.learned, ['requestsPerSecond', 'loadSeconds']) }),
      },
    }),
    ...(cost && { cost }),
  };
}

/** Returns what tells one object from another. */
export function identityOf({ name, namespace, uid, resourceVersion, creationTimestamp }: ObjectMeta): ObjectMeta {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
  };
}

/** An absent field stays absent. */
function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  const picked: Partial<T> = {};
  for (const name of names) if (from[name] !== undefined) picked[name] = from[name];
  return picked as Pick<T, K>;
}
