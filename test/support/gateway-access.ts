/** How programs on this machine reach the gateways of a test cluster, and with which key. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { apiKeys } from '../../src/api/resources.ts';
import { parseKey } from '../../src/gateway/auth/key.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { cacheDirectory } from '../cluster/paths.ts';
import { createApiKey } from './api-key.ts';
import { clientOf } from './kube.ts';
import { withPortForward } from './port-forward.ts';

/** The port of `kubectl port-forward` where this machine has no route to Services. */
export const FORWARDED_PORT = 8800;

/**
 * Returns the origin of the gateways, such as `http://10.251.0.7`: their Service's address where this machine has a
 * route to it, else that of a port-forward which the caller has to start.
 */
export async function gatewayOrigin(cluster: Cluster): Promise<string> {
  if (cluster.kind !== 'local') return `http://127.0.0.1:${FORWARDED_PORT}`;
  const path = 'jsonpath={.spec.clusterIP}';
  return `http://${await kubectl(cluster, ['-n', 'infer-system', 'get', 'service', 'infer-gateway', '-o', path])}`;
}

/** Calls `use` with the gateways' origin, forwarding a port to them where this machine has no route; returns its result. */
export async function withGateway<T>(cluster: Cluster, use: (origin: string) => Promise<T>): Promise<T> {
  if (cluster.kind === 'local') return await use(await gatewayOrigin(cluster));
  return await withPortForward(cluster, { namespace: 'infer-system', service: 'infer-gateway', port: 80 }, use);
}

/**
 * Returns a key of namespace `namespace`, the same at each call as long as its APIKey lives: making a new one would end
 * the one that another shell uses. Only its owner can read the file that holds it.
 */
export async function demoKey(cluster: Cluster, namespace: string): Promise<string> {
  const name = 'demo';
  const file = keyFile(cluster, namespace);
  const client = clientOf(cluster.kubeconfig);
  try {
    const kept = await readFile(file, 'utf8').catch(() => '');
    const live = await client.get(apiKeys, { namespace, name });
    if (live !== undefined && parseKey(kept)?.keyId === live.spec.keyId) return kept;
    const key = await createApiKey(client, namespace, name, { scopes: ['inference', 'files', 'view'] });
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, key, { mode: 0o600 });
    return key;
  } finally {
    await client.close();
  }
}

/** A local cluster's own folder goes with it; the key of another is kept among the caches. */
function keyFile(cluster: Cluster, namespace: string): string {
  const folder = cluster.kind === 'local' ? dirname(cluster.kubeconfig) : join(cacheDirectory(), 'keys', cluster.name);
  return join(folder, `${namespace}.api-key`);
}
