/**
 * Pure: what a client's `model` names, and which deployment a name belongs to. The operator and every gateway decide by
 * these functions alone, so that they agree without talking.
 */
import type { InferenceDeployment } from './generated/inference-deployment.ts';

/** What is read of a deployment. */
type Claimant = Pick<InferenceDeployment, 'metadata'> & { spec: Pick<InferenceDeployment['spec'], 'aliases'> };

/** `[NAMESPACE/]NAME[:ADAPTER]`; a name is the id of a deployment or an alias. */
export interface ModelName {
  readonly namespace: string | undefined;
  readonly name: string;
  readonly adapter: string | undefined;
}

/** Returns the parts of `model`. A name holds neither slash nor colon: what stands behind further ones belongs to no name. */
export function parseModelName(model: string): ModelName {
  const slash = model.indexOf('/');
  const colon = model.indexOf(':', slash + 1);
  return {
    namespace: slash === -1 ? undefined : model.slice(0, slash),
    name: model.slice(slash + 1, colon === -1 ? undefined : colon),
    adapter: colon === -1 ? undefined : model.slice(colon + 1),
  };
}

/** Returns the name under which the engines of the deployment `id` serve it, or an adapter of it. */
export function engineModelName(id: string, adapter?: string): string {
  return adapter === undefined ? id : `${id}:${adapter}`;
}

/** Returns the key of a name in the index `modelName`. */
export function modelNameKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

/** Returns all names that a deployment claims, as keys of the index `modelName`: its id and its aliases. */
export function modelNameKeys({ metadata: { namespace, name }, spec: { aliases = [] } }: Claimant): string[] {
  return [...new Set([name, ...aliases])].map((claimed) => modelNameKey(namespace, claimed));
}

/**
 * Returns which of `claimants`, deployments of one namespace that claim `name`, it belongs to: the one that has it as its
 * id, else the oldest, and of equally old ones that with the lowest UID. Undefined where there is none.
 */
export function ownerOfName<T extends Claimant>(name: string, claimants: readonly T[]): T | undefined {
  const order = ({ metadata }: T): string[] => [
    metadata.name === name ? '0' : '1',
    metadata.creationTimestamp ?? '',
    metadata.uid ?? '',
  ];
  return claimants.toSorted((a, b) => compare(order(a), order(b)))[0];
}

/** Returns the first alias of `deployment` that belongs to another one; `claimantsOf` finds who claims a key. */
export function lostAlias<T extends Claimant>(
  deployment: T,
  claimantsOf: (key: string) => readonly T[],
): { alias: string; owner: T } | undefined {
  const { metadata, spec } = deployment;
  for (const alias of spec.aliases ?? []) {
    const owner = ownerOfName(alias, claimantsOf(modelNameKey(metadata.namespace, alias)));
    if (owner !== undefined && owner.metadata.uid !== metadata.uid) return { alias, owner };
  }
  return undefined;
}

/** The API server writes all times in one form, in UTC and to the second: they compare as texts. */
function compare(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at === -1 ? 0 : (a[at] ?? '') < (b[at] ?? '') ? -1 : 1;
}
