/**
 * The only place that forms names of child objects. A deployment's name has at most 40 characters, so every name
 * below stays within the 63 of a Service and leaves a ReplicaSet and its pods room for their suffixes.
 */

/** Returns the name of the Deployment, Service, PodDisruptionBudget and NetworkPolicy of the deployment `name`. */
export function childName(name: string): string {
  return `infer-${name}`;
}
