/** Pure: whether a tool keeps a resource as Git has it, and would undo what is changed beside it. */
import type { ObjectMeta } from '../kube/types.ts';

export interface Keeper {
  tool: 'Argo CD' | 'Flux';
  /** Of its application, Kustomization or HelmRelease. */
  name: string;
  /** By a label that other tools set too. */
  isGuess?: true;
}

/** Returns what keeps the resource; undefined where nothing does. */
export function keeperOf({ labels = {}, annotations = {} }: ObjectMeta): Keeper | undefined {
  const tracking = annotations['argocd.argoproj.io/tracking-id'];
  // APPLICATION:GROUP/KIND:NAMESPACE/NAME
  if (tracking !== undefined) return { tool: 'Argo CD', name: tracking.split(':')[0] ?? tracking };
  const instance = labels['argocd.argoproj.io/instance'];
  if (instance !== undefined) return { tool: 'Argo CD', name: instance };
  const flux = labels['kustomize.toolkit.fluxcd.io/name'] ?? labels['helm.toolkit.fluxcd.io/name'];
  if (flux !== undefined) return { tool: 'Flux', name: flux };
  // Argo CD's default until version 3. What Helm installed itself carries its annotation.
  const common = labels['app.kubernetes.io/instance'];
  if (common === undefined || annotations['meta.helm.sh/release-name'] !== undefined) return undefined;
  return { tool: 'Argo CD', name: common, isGuess: true };
}
