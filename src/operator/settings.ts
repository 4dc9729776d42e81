/** The operator's settings, from its environment; read once at start. */
import { CHANNEL_PORT } from '../channel/port.ts';
import { httpUrl, wholeNumber, type Environment } from '../process/environment.ts';
import { readPodIdentity, type PodIdentity } from '../process/pod-identity.ts';

const HUB = 'https://huggingface.co';

export interface Settings {
  /** Infer's own namespace: profiles, catalogue, Lease, gateways. */
  namespace: string;
  /** The only namespace whose deployments are looked after; absent means all. */
  watchNamespace: string | undefined;
  /** Unique among the operator's replicas; the Lease names it. */
  identity: string;
  /** Infer's own image, for the download containers. */
  image: string;
  hubEndpoint: string;
  /** The proxy through which replicas download from an https hub; absent means without one. */
  httpsProxy: string | undefined;
  /** Hosts that downloads reach without the proxy, separated by commas. */
  noProxy: string | undefined;
  /** Whether a model is looked up at the hub before a GPU is reserved; off where no hub is to be reached. */
  preflight: boolean;
  /** The gateways' base URL for OpenAI clients, for the status of deployments; absent shows none. */
  gatewayUrl: string | undefined;
  /** HTTP port of /healthz, /readyz and /metrics; 0 picks a free one. */
  port: number;
  /** Port of the gateways' load channel. */
  channelPort: number;
  /** The pod that this process is; absent outside of a cluster. */
  pod: PodIdentity | undefined;
  /** Time between two full lists of each watched kind, which find what a watch missed. */
  relistIntervalMs: number;
  logLevel: string;
}

/**
 * Returns the settings in `environment`. Throws an Error that names the variable and what it should hold when one is
 * missing or wrong.
 */
export function readSettings(environment: Environment): Settings {
  const required = (name: string, what: string): string => {
    const value = environment[name];
    if (!value) throw new Error(`Set ${name} to ${what}.`);
    return value;
  };
  const whole = (name: string, fallback: number, from: number, to: number): number =>
    wholeNumber(environment, name, { fallback, from, to });
  const gatewayUrl = environment['INFER_GATEWAY_URL'];
  return {
    namespace: required('INFER_NAMESPACE', "Infer's own namespace"),
    watchNamespace: environment['INFER_WATCH_NAMESPACE'] || undefined,
    identity: required('INFER_IDENTITY', 'a name that is unique among the replicas, such as the pod name'),
    image: required('INFER_IMAGE', "the image of this install, which the replicas' download container runs"),
    hubEndpoint: httpUrl('HF_ENDPOINT', environment['HF_ENDPOINT'] || HUB, HUB),
    httpsProxy: proxyUrl(environment['HTTPS_PROXY']),
    noProxy: environment['NO_PROXY'] || undefined,
    preflight: onOrOff('INFER_PREFLIGHT', environment['INFER_PREFLIGHT'] || 'on'),
    gatewayUrl: gatewayUrl ? httpUrl('INFER_GATEWAY_URL', gatewayUrl, 'https://infer.example.com/v1') : undefined,
    port: whole('INFER_PORT', 8080, 0, 65_535),
    channelPort: whole('INFER_CHANNEL_PORT', CHANNEL_PORT, 1, 65_535),
    pod: readPodIdentity(environment),
    relistIntervalMs: whole('INFER_RELIST_SECONDS', 600, 10, 86_400) * 1_000,
    logLevel: environment['INFER_LOG_LEVEL'] || 'info',
  };
}

/** Throws an Error for a URL with a password: it becomes part of pods, which their users can read. */
function proxyUrl(value: string | undefined): string | undefined {
  if (!value) return undefined;
  const url = httpUrl('HTTPS_PROXY', value, 'http://proxy.example.com:3128');
  const { username, password } = new URL(url);
  if (username === '' && password === '') return url;
  throw new Error('Set HTTPS_PROXY to a URL without user and password: every user of a replica could read them.');
}

function onOrOff(name: string, value: string): boolean {
  if (value === 'on' || value === 'off') return value === 'on';
  throw new Error(`Set ${name} to on or off.`);
}
