/** The settings of the batch process, from its environment; read once at start. */
import { BATCH_PORT } from '../channel/port.ts';
import { hostAndPort, wholeNumber, type Environment } from '../process/environment.ts';
import { readPodIdentity, type PodIdentity } from '../process/pod-identity.ts';
import { readStoreSettings, type StoreSettings } from '../store/settings.ts';
import { DEFAULT_LIMITS } from './limits.ts';

const GATEWAY_EXAMPLE = 'infer-gateway-internal.infer-system.svc:8445';

export interface Settings {
  /** The only namespace whose batches are served; absent means all. */
  watchNamespace: string | undefined;
  /** Where files lie. */
  store: StoreSettings;
  /** Port of the API for gateways; 0 picks a free one. */
  apiPort: number;
  /** Port of /healthz, /readyz and /metrics; 0 picks a free one. */
  port: number;
  /** The pod that this process is; without one the API is served to this machine alone, in plain HTTP. */
  pod: PodIdentity | undefined;
  /** The headless Service of the gateways' internal port; absent where there is no pod, and then no batch is run. */
  gatewayAddress: { host: string; port: number } | undefined;
  /** Bytes of all files of one namespace, beyond which none is uploaded. */
  maxNamespaceBytes: number;
  /** Time between two full lists of batches, which find what a watch missed. */
  relistIntervalMs: number;
  /** Time between two removals of expired files. */
  sweepIntervalMs: number;
  /** How long new requests are still taken once the process is to stop: until no gateway sends any more. */
  leaveMs: number;
  /** How long those under way may take after that: both less than the pod's grace period. */
  drainMs: number;
  logLevel: string;
}

/** Returns the settings in `environment`. Throws an Error that names a variable that is wrong. */
export function readSettings(environment: Environment): Settings {
  const whole = (name: string, fallback: number, from: number, to: number): number =>
    wholeNumber(environment, name, { fallback, from, to });
  const pod = readPodIdentity(environment);
  const gatewayAddress = hostAndPort(environment, 'INFER_GATEWAY_ADDRESS', GATEWAY_EXAMPLE);
  if ((pod === undefined) !== (gatewayAddress === undefined)) {
    throw new Error(
      `Set both the identity of the pod (INFER_POD_UID) and INFER_GATEWAY_ADDRESS, ${GATEWAY_EXAMPLE} say.`,
    );
  }
  return {
    watchNamespace: environment['INFER_WATCH_NAMESPACE'] || undefined,
    store: readStoreSettings(environment),
    apiPort: whole('INFER_BATCH_PORT', BATCH_PORT, 0, 65_535),
    port: whole('INFER_PORT', 8080, 0, 65_535),
    pod,
    gatewayAddress,
    maxNamespaceBytes: whole('INFER_NAMESPACE_BYTES', DEFAULT_LIMITS.maxNamespaceBytes, 0, Number.MAX_SAFE_INTEGER),
    relistIntervalMs: whole('INFER_RELIST_SECONDS', 600, 10, 86_400) * 1_000,
    sweepIntervalMs: whole('INFER_SWEEP_SECONDS', 3_600, 1, 86_400) * 1_000,
    leaveMs: whole('INFER_LEAVE_SECONDS', 5, 0, 300) * 1_000,
    drainMs: whole('INFER_DRAIN_SECONDS', 50, 0, 86_400) * 1_000,
    logLevel: environment['INFER_LOG_LEVEL'] || 'info',
  };
}
