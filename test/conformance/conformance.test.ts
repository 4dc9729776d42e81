/** The official openai clients against Infer on a local cluster: the checks of client.py and client.ts under every base. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { applyObjects, kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { createApiKey } from '../support/api-key.ts';
import { installInfer } from '../support/install.ts';
import { clientOf } from '../support/kube.ts';
import { BASES, CLIENTS, runChecks } from './clients.ts';

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

let cluster: Cluster;
let key = '';

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
  await applyObjects(cluster, [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }]);
  await applyObjects(cluster, [example()]);
  const client = clientOf(cluster.kubeconfig);
  key = await createApiKey(client, NAMESPACE, 'conformance');
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
});
