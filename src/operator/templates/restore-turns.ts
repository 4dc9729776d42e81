/** Whose turn it was when the former leader ended: it stands in the revisions. */
import { effectiveSpec } from '../../api/defaults.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { ObjectReference } from '../../kube/types.ts';
import type { Caches } from '../caches.ts';
import { childName } from '../resources/names.ts';
import { holdsTurn, ownRevisions } from './revisions.ts';
import { Turns } from './turns.ts';

type Read = Pick<Caches, 'inferenceDeployments' | 'controllerRevisions' | 'deployments'>;

/** Returns the turns as the filled `caches` show them; `wake` as in Turns. */
export function restoreTurns(caches: Read, wake: (ref: ObjectReference) => void): Turns {
  const turns = new Turns(wake);
  for (const resource of caches.inferenceDeployments.list()) {
    const { hardwareProfile } = effectiveSpec(resource.spec);
    if (holds(resource, caches)) turns.note(resource.metadata, hardwareProfile, 'holds');
  }
  return turns;
}

function holds(resource: InferenceDeployment, caches: Read): boolean {
  const { name, namespace = '', uid = '' } = resource.metadata;
  const [newest] = ownRevisions(resource, caches.controllerRevisions.byIndex('deployment', `${namespace}/${uid}`));
  return newest !== undefined && holdsTurn(newest, caches.deployments.get({ namespace, name: childName(name) }));
}
