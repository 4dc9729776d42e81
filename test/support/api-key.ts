/** API keys for tests and the demo. */
import { randomBytes } from 'node:crypto';
import type { APIKeySpec } from '../../src/api/generated/api-key.ts';
import { apiKeys } from '../../src/api/resources.ts';
import { createKey } from '../../src/gateway/auth/key.ts';
import type { KubeClient } from '../../src/kube/client.ts';

/**
 * Creates the APIKey `name`, with what differs in `spec`, and returns the key: a secret that is nowhere else. One that
 * exists gets a new key, and the former ends.
 */
export async function createApiKey(
  client: KubeClient,
  namespace: string,
  name: string,
  spec: Partial<APIKeySpec> = {},
): Promise<string> {
  const { key, keyId, hash } = createKey({ namespace, name, randomBytes });
  const resource = { metadata: { namespace, name }, spec: { keyId, hash, ...spec } };
  await client.apply(apiKeys, resource, { fieldManager: 'test', force: true });
  return key;
}
