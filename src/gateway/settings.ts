/** The gateway's settings, from its environment; read once at start. */
import { CHANNEL_PORT, INTERNAL_PORT } from '../channel/port.ts';
import { hostAndPort, wholeNumber, type Environment } from '../process/environment.ts';
import { readPodIdentity, type PodIdentity } from '../process/pod-identity.ts';

export interface Settings {
  /** The only namespace whose deployments are served; absent means all. */
  watchNamespace: string | undefined;
  /** Port of the API for clients; 0 picks a free one. */
  apiPort: number;
  /** Port of /healthz, /readyz and /metrics; 0 picks a free one. */
  port: number;
  /** Port of the load channel. */
  channelPort: number;
  /** Port for the batch process; 0 picks a free one. */
  internalPort: number;
  /** Where the batch process takes files and batches; absent means that there is none. */
  batchAddress: { host: string; port: number } | undefined;
  /** The pod that this process is; without one there is neither a load channel nor a port for the batch process. */
  pod: PodIdentity | undefined;
  /** Time between two full lists of each watched kind, which find what a watch missed. */
  relistIntervalMs: number;
  /** From the end of readiness to the last accepted request: until balancers in front have seen it. */
  leaveMs: number;
  /** How long requests under way may then take. With `leaveMs` less than the pod's grace period. */
  drainMs: number;
  logLevel: string;
}

/** Returns the settings in `environment`. Throws an Error that names a variable that is wrong. */
export function readSettings(environment: Environment): Settings {
  const whole = (name: string, fallback: number, from: number, to: number): number =>
    wholeNumber(environment, name, { fallback, from, to });
  const pod = readPodIdentity(environment);
  const batchAddress = hostAndPort(environment, 'INFER_BATCH_ADDRESS', 'infer-batch.infer-system.svc:8444');
  if (batchAddress !== undefined && pod === undefined) {
    throw new Error('INFER_BATCH_ADDRESS needs the identity of a pod: set INFER_POD_UID and those beside it, too.');
  }
  return {
    watchNamespace: environment['INFER_WATCH_NAMESPACE'] || undefined,
    apiPort: whole('INFER_API_PORT', 8000, 0, 65_535),
    port: whole('INFER_PORT', 8080, 0, 65_535),
    channelPort: whole('INFER_CHANNEL_PORT', CHANNEL_PORT, 1, 65_535),
    internalPort: whole('INFER_INTERNAL_PORT', INTERNAL_PORT, 0, 65_535),
    batchAddress,
    pod,
    relistIntervalMs: whole('INFER_RELIST_SECONDS', 600, 10, 86_400) * 1_000,
    leaveMs: whole('INFER_LEAVE_SECONDS', 5, 0, 300) * 1_000,
    drainMs: whole('INFER_DRAIN_SECONDS', 165, 0, 86_400) * 1_000,
    logLevel: environment['INFER_LOG_LEVEL'] || 'info',
  };
}
