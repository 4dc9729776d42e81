/** What a gateway reports, of which a test says only what it is about. */
import type { DeploymentReport, ReplicaReport } from '../../src/channel/messages.ts';

/** Returns the report on a deployment without any load. */
export function deploymentReport(uid: string, more: Partial<DeploymentReport> = {}): DeploymentReport {
  return {
    uid,
    arrivals: 0,
    completed: 0,
    failed: 0,
    cancelled: 0,
    latency: new Map(),
    firstByte: new Map(),
    held: 0,
    oldestHeldMs: 0,
    ages: new Map(),
    replicas: [],
    ...more,
  };
}

/** Returns the report on a replica without any load. */
export function replicaReport(podUid: string, more: Partial<ReplicaReport> = {}): ReplicaReport {
  return { podUid, inFlight: 0, tokens: 0, oldestMs: 0, draining: false, ...more };
}
