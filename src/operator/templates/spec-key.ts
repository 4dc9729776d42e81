/** Pure: what a user wrote that shapes the pods, as a key. The same key means that the user asks for nothing new. */
import type { InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import { contentHash } from '../../kube/hash.ts';

/** The fields that shape no pod. One that is forgotten here rolls the pods when it is edited; none is ever overlooked. */
const NOT_IN_PODS: readonly string[] = [
  'minReplicas',
  'maxReplicas',
  'scaling',
  'aliases',
  'allowKeysFrom',
  'holdTimeoutSeconds',
  'suspend',
] satisfies (keyof InferenceDeploymentSpec)[];

/**
 * The default that each field had when it was introduced: written or left out, it is the same. It never changes, also where
 * the default does later: the API server has stored the first one in every resource of that time, and a key that named
 * it from then on would roll them all.
 */
const FIRST_DEFAULTS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['model.revision', 'main'],
  ['model.tokenSecretRef.key', 'token'],
  ['hardwareProfile', 'gpu.a100'],
  ['startupTimeoutSeconds', 3600],
  ['drainTimeoutSeconds', 120],
]);

/** Returns 10 hexadecimal digits that stand for the fields of `spec` that shape the pods and differ from their first defaults. */
export function specKey(spec: InferenceDeploymentSpec): string {
  const shaping = Object.fromEntries(Object.entries(spec).filter(([name]) => !NOT_IN_PODS.includes(name)));
  return contentHash(withoutDefaults(shaping)).slice(0, 10);
}

/** Also without objects that have nothing left: `engine: {}` asks for nothing. */
function withoutDefaults(value: object, path = ''): object {
  const kept = Object.entries(value).flatMap(([name, child]: [string, unknown]): [string, unknown][] => {
    const childPath = path === '' ? name : `${path}.${name}`;
    if (child === undefined || FIRST_DEFAULTS.get(childPath) === child) return [];
    if (typeof child !== 'object' || child === null || Array.isArray(child)) return [[name, child]];
    const rest = withoutDefaults(child, childPath);
    return Object.keys(rest).length === 0 ? [] : [[name, rest]];
  });
  return Object.fromEntries(kept);
}
