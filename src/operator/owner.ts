/** Whether a resource is still there to own what a plan would make. */
import { inferenceDeployments } from '../api/resources.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Observation } from './gather.ts';
import type { Plan } from './plan.ts';

/** Whether a child or a Job of the plan is not there yet. */
export function makesSomething({ children, jobs }: Plan, observation: Observation): boolean {
  const live = observation.children;
  const made: [wanted: unknown, live: unknown][] = [
    [children?.networkPolicy, live.networkPolicy],
    [children?.disruptionBudget, live.disruptionBudget],
    [children?.service, live.service],
    [children?.cacheClaim, live.cacheClaim],
    [children?.deployment, live.deployment],
    // Before the Deployment its template is kept.
    [children?.deployment, observation.revisions[0]],
  ];
  if (made.some(([wanted, there]) => wanted !== undefined && there === undefined)) return true;
  const known = new Set(observation.jobs.map(({ metadata }) => metadata.name));
  return (jobs?.wanted ?? []).some(({ metadata }) => !known.has(metadata.name));
}

/**
 * Asks the API server whether the very resource that was observed is there, and stays. Children go after their owner: those
 * that were missing before this is asked may be so because the resource is gone, of which its own watch has not told yet, as
 * after a start. Made again they would go again. Throws ApiError.
 */
export async function isThere({ resource }: Observation, client: Pick<KubeClient, 'get'>): Promise<boolean> {
  const { name, namespace, uid } = resource.metadata;
  const live = await client.get(inferenceDeployments, { name, ...(namespace !== undefined && { namespace }) });
  return live?.metadata.uid === uid && live?.metadata.deletionTimestamp === undefined;
}
