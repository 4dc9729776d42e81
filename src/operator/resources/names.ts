/**
 * The only place that forms names of child objects. A deployment's name has at most 40 characters, so every name
 * below stays within the 63 of a Service and leaves a ReplicaSet and its pods room for their suffixes.
 */

/** Returns the name of the Deployment, Service, PodDisruptionBudget and NetworkPolicy of the deployment `name`. */
export function childName(name: string): string {
  return `infer-${name}`;
}

/** Returns the name of the Job that looks up the model of the deployment `name`; `hash` has six characters. */
export function preflightName(name: string, hash: string): string {
  return `infer-${name}-check-${hash}`;
}

/** Returns the name of the claim that holds the models of the deployment `name`. */
export function cacheName(name: string): string {
  return `infer-${name}-models`;
}

/** Returns the name of the Job that downloads a model into that claim; `hash` has six characters. */
export function fetchName(name: string, hash: string): string {
  return `infer-${name}-fetch-${hash}`;
}

/**
 * Returns the name of the ControllerRevision that holds a pod template of the deployment `name`: by what the user asked for
 * (`key`) and what was made of it (`content`), so that the same is never kept twice.
 */
export function revisionName(name: string, key: string, content: string): string {
  return `${revisionPrefix(name, key)}${content}`;
}

/** Returns how the names of all templates begin that were made for `key`. */
export function revisionPrefix(name: string, key: string): string {
  return `infer-${name}-${key}-`;
}
