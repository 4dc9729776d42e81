/** Where the gateways of a cluster are, as far as the cluster tells. */
import { GATEWAY_POD_LABELS } from '../../api/labels.ts';
import { isReady, type Pod } from '../../api/kubernetes.ts';
import { inferenceDeployments, pods } from '../../api/resources.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError } from '../../kube/errors.ts';
import type { KubeObject, Resource } from '../../kube/types.ts';
import { SERVICE, baseUrlOf, isInsideCluster } from './base-url.ts';

interface LoadBalancer {
  loadBalancer?: { ingress?: { ip?: string; hostname?: string }[] };
}

interface Ingress extends KubeObject {
  spec?: {
    tls?: { hosts?: string[] }[];
    rules?: { host?: string; http?: { paths?: { path?: string; backend?: { service?: { name?: string } } }[] } }[];
  };
  status?: LoadBalancer;
}

interface ExposedService extends KubeObject {
  spec?: { type?: string; ports?: { port: number }[] };
  status?: LoadBalancer;
}

const ingresses: Resource<Ingress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
};
const exposedServices: Resource<ExposedService> = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  namespaced: true,
};

/** Whose deployments are looked at, and where Infer is installed. */
export interface Places {
  readonly namespace: string;
  readonly systemNamespace: string;
}

export interface FoundAddress {
  readonly url: string;
  /** What says so. */
  readonly source: string;
}

/**
 * Returns the URL by which the gateways are reached from outside; undefined where nothing that this user may read says one.
 * Throws ConnectionError.
 */
export async function findAddress(client: KubeClient, places: Places): Promise<FoundAddress | undefined> {
  const first = await addresses(client, places).next();
  return first.done === true ? undefined : first.value;
}

/**
 * Yields the URLs by which the cluster tells that its gateways are reached: what deployments of the namespace say, Ingresses
 * that have an address, that of the Service, and Ingresses with a host alone. Throws ConnectionError.
 */
export async function* addresses(client: KubeClient, places: Places): AsyncGenerator<FoundAddress, void, undefined> {
  const { namespace, systemNamespace } = places;
  for (const { status } of await readable(client.list(inferenceDeployments, { namespace, limit: 20 }))) {
    const url = status?.endpoint?.baseUrl;
    if (url !== undefined && baseUrlOf(url) !== undefined && !isInsideCluster(url, systemNamespace)) {
      yield { url, source: `the status of deployments in ${namespace}` };
    }
  }
  const known = (await readable(client.list(ingresses, { namespace: systemNamespace }))).flatMap((ingress) => {
    const url = ingressUrl(ingress);
    const source = `Ingress ${systemNamespace}/${ingress.metadata.name}`;
    return url === undefined ? [] : [{ url, source, hasAddress: hostOf(ingress.status) !== undefined }];
  });
  yield* known.filter(({ hasAddress }) => hasAddress);
  const services = await readable(client.list(exposedServices, { namespace: systemNamespace }));
  const url = serviceUrl(services.find(({ metadata }) => metadata.name === SERVICE));
  if (url !== undefined) yield { url, source: `Service ${systemNamespace}/${SERVICE}` };
  // Of a controller that writes no status, as on bare metal, or of none.
  yield* known.filter(({ hasAddress }) => !hasAddress);
}

/** Returns the URL of an Ingress whose backend is the gateway and that names a host, or has an address; undefined for another. */
export function ingressUrl({ spec, status }: Ingress): string | undefined {
  const all = (spec?.rules ?? []).flatMap((rule) =>
    (rule.http?.paths ?? []).map((path) => ({ ...path, host: rule.host })),
  );
  const found = all.find(({ backend }) => backend?.service?.name === SERVICE);
  const host = found?.host ?? hostOf(status);
  if (found === undefined || host === undefined) return undefined;
  const { path = '/' } = found;
  // A path of another kind is a pattern of its controller.
  if (host.startsWith('*') || !/^[\w/.~-]*$/.test(path)) return undefined;
  const secure = (spec?.tls ?? []).some(({ hosts = [] }) => hosts.length === 0 || hosts.includes(host));
  return `${secure ? 'https' : 'http'}://${host}${path.replace(/\/+$/, '')}`;
}

/** Returns the URL of a Service of type LoadBalancer that has its address. */
export function serviceUrl(service: ExposedService | undefined): string | undefined {
  const host = service?.spec?.type === 'LoadBalancer' ? hostOf(service.status) : undefined;
  const port = service?.spec?.ports?.[0]?.port ?? 80;
  return host === undefined ? undefined : port === 443 ? `https://${host}` : `http://${host}:${port}`;
}

/** Returns a gateway's pod that is ready, in Infer's own namespace or this one; undefined where there is none. */
export async function findGatewayPod(
  client: KubeClient,
  { namespace, systemNamespace }: Places,
): Promise<{ namespace: string; name: string } | undefined> {
  const labelSelector = Object.entries(GATEWAY_POD_LABELS)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
  let refusal: unknown;
  for (const place of new Set([systemNamespace, namespace])) {
    try {
      const { items } = await client.list(pods, { namespace: place, labelSelector });
      const ready = items.find(staysReady);
      if (ready !== undefined) return { namespace: place, name: ready.metadata.name };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (place === systemNamespace) refusal = error;
    }
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

function staysReady(pod: Pod): boolean {
  return isReady(pod) && pod.metadata.deletionTimestamp === undefined;
}

function hostOf(status: LoadBalancer | undefined): string | undefined {
  const { hostname, ip } = status?.loadBalancer?.ingress?.[0] ?? {};
  return hostname ?? (ip?.includes(':') === true ? `[${ip}]` : ip);
}

/** What this user may not read says nothing. */
async function readable<T>(list: Promise<{ items: T[] }>): Promise<T[]> {
  try {
    return (await list).items;
  } catch (error) {
    if (error instanceof ApiError) return [];
    throw error;
  }
}
