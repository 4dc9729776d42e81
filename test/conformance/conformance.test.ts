/**
 * The official openai clients against Infer on a local cluster: the checks of client.py and client.ts under every base, and
 * those of batches.py and batches.ts under one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { APIKeySpec } from '../../src/api/generated/api-key.ts';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { applyObjects, kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { createApiKey } from '../support/api-key.ts';
import { installInfer } from '../support/install.ts';
import { clientOf } from '../support/kube.ts';
import { BASES, CLIENTS, runBatchChecks, runChecks } from './clients.ts';

const CLUSTER = 't-conformance';
const NAMESPACE = 'team-a';
const MODEL = 'tiny-llama';

const CHECKS = [
  'models.list',
  'models.retrieve',
  'chat',
  "chat with the namespace in the model's name",
  'chat with an alias',
  'chat with an adapter',
  'chat stream',
  'chat stream with usage',
  'completion',
  'completion stream',
  'embeddings of a chat model',
  'wrong key',
  'unknown model',
  'bad request',
  'aborted stream',
];

const BATCH_CHECKS = [
  'files',
  'errors of files',
  'pages of files',
  'a batch',
  'a batch of which every request fails',
  'a batch whose input is wrong',
  'a batch without input',
  'errors of batches',
  'pages of batches',
  'a batch that is cancelled',
  'what another namespace sees',
];
/** About two seconds of the engine. */
const SLOW_TOKENS = 250;

let cluster: Cluster;
let key = '';
let otherKey = '';

/** The example, with an alias and an adapter beside it. */
function example(): InferenceDeployment {
  const text = readFileSync(join(repositoryRoot, 'examples/inference-deployment.yaml'), 'utf8');
  const { metadata, spec, ...object } = parse(text) as InferenceDeployment;
  const adapters = [{ name: 'sql', id: 'infer-examples/tiny-lora' }];
  return {
    ...object,
    metadata: { ...metadata, namespace: NAMESPACE },
    spec: { ...spec, aliases: ['Tiny-Llama'], adapters },
  };
}

beforeAll(async () => {
  await localClusterDown(CLUSTER, () => undefined);
  cluster = await localClusterUp({ name: CLUSTER, nodes: 1, progress: () => undefined, gpus: 1 });
  await installInfer(cluster, () => undefined);
  const namespaces = [NAMESPACE, 'team-b'];
  await applyObjects(
    cluster,
    namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
  );
  await applyObjects(cluster, [example()]);
  const client = clientOf(cluster.kubeconfig);
  const scopes: APIKeySpec['scopes'] = ['inference', 'files'];
  key = await createApiKey(client, NAMESPACE, 'conformance', { scopes });
  otherKey = await createApiKey(client, 'team-b', 'conformance', { scopes });
  await client.close();
  await kubectl(cluster, ['-n', NAMESPACE, 'wait', '--for=condition=Ready', `infer/${MODEL}`, '--timeout=110s']);
}, 900_000);
afterAll(async () => await localClusterDown(CLUSTER, () => undefined), 120_000);

describe.each(CLIENTS)('the openai client for $name', (openai) => {
  test.each(BASES)(
    'finds under %s what it expects',
    async (base) => {
      const everything = Object.fromEntries(CHECKS.map((check) => [check, 'ok']));
      expect(
        await runChecks(openai, base, {
          cluster,
          namespace: NAMESPACE,
          model: MODEL,
          alias: 'Tiny-Llama',
          adapter: 'sql',
          key,
          countsRunning: true,
        }),
      ).toEqual(everything);
    },
    180_000,
  );

  test('runs batches', async () => {
    const everything = Object.fromEntries(BATCH_CHECKS.map((check) => [check, 'ok']));
    const served = { cluster, model: MODEL, key, otherKey, slowTokens: SLOW_TOKENS };
    expect(await runBatchChecks(openai, '/v1', served)).toEqual(everything);
  }, 400_000);
});
