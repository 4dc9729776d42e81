/** Writes the revision that holds a deployment's pod template, and deletes those that nobody goes back to. */
import type { ControllerRevision } from '../../api/kubernetes.ts';
import { controllerRevisions } from '../../api/resources.ts';
import type { Applier } from '../../kube/apply.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Caches } from '../caches.ts';
import type { TemplatePlan } from './plan-template.ts';

/**
 * Makes the revision of the plan the newest of `live`. To be called before the Deployment is applied: what runs must be
 * kept whenever the process ends. Throws what the API server answered (ApiError).
 */
export async function applyRevision(
  { revision }: TemplatePlan,
  live: readonly ControllerRevision[],
  { applier, caches }: { applier: Applier; caches: Pick<Caches, 'controllerRevisions'> },
): Promise<void> {
  const known = live.find(({ metadata }) => metadata.name === revision.metadata.name);
  const { object, changed } = await applier.apply<ControllerRevision>(controllerRevisions, revision, known);
  if (changed) caches.controllerRevisions.noteWrite(object);
}

/** To be called after the Deployment was applied. Throws what the API server answered (ApiError). */
export async function deleteObsolete({ obsolete }: TemplatePlan, client: KubeClient): Promise<void> {
  for (const { metadata } of obsolete) {
    await client.delete(controllerRevisions, metadata, { uid: metadata.uid });
  }
}
