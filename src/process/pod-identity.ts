/** Where a process runs in the cluster, as the downward API tells it. */
import type { Environment } from './environment.ts';

export interface PodIdentity {
  /** Infer's own namespace, and the ServiceAccount in it. */
  namespace: string;
  serviceAccount: string;
  name: string;
  uid: string;
  /** The address that others in the cluster reach it at. */
  ip: string;
}

const VARIABLES = {
  namespace: 'INFER_NAMESPACE',
  serviceAccount: 'INFER_SERVICE_ACCOUNT',
  name: 'INFER_POD_NAME',
  uid: 'INFER_POD_UID',
  ip: 'INFER_POD_IP',
} as const;

/**
 * Returns the pod that this process is; undefined where it is none, which no INFER_POD_UID says. Throws an Error that
 * names a variable that is missing beside it.
 */
export function readPodIdentity(environment: Environment): PodIdentity | undefined {
  if (!environment[VARIABLES.uid]) return undefined;
  const read = (field: keyof typeof VARIABLES): string => {
    const value = environment[VARIABLES[field]];
    if (!value) throw new Error(`Set ${VARIABLES[field]} from the pod, as ${VARIABLES.uid} is.`);
    return value;
  };
  return {
    namespace: read('namespace'),
    serviceAccount: read('serviceAccount'),
    name: read('name'),
    uid: read('uid'),
    ip: read('ip'),
  };
}
