/** The batch process in a pod: its API is reached by gateways alone, and its worker runs. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request, type Agent } from 'undici';
import { inferenceBatches, pods } from '../../src/api/resources.ts';
import { channelAgent, channelOrigin } from '../../src/channel/http-client.ts';
import { ChannelIdentity } from '../../src/channel/identity.ts';
import { BATCH_ACCOUNT, GATEWAY_ACCOUNT } from '../../src/channel/port.ts';
import { PeerVerifier } from '../../src/channel/verifier.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isAlreadyExists } from '../../src/kube/errors.ts';
import { tenantHeaders } from '../support/batch-api.ts';
import { BatchProcess } from '../support/batch-process.ts';
import { eventually } from '../support/eventually.ts';
import { clientOf, createNamespace, serviceAccounts, sharedKubeconfig } from '../support/kube.ts';
import { installApi } from '../support/product.ts';
import { INSTALL } from '../support/resources.ts';

const { namespace } = INSTALL;
const POD = 'batch-channel-test';
const OTHER_ACCOUNT = 'default-of-somebody';

let client: KubeClient;
let folder: string;
let batchProcess: BatchProcess;
let origin: string;
const agents: Agent[] = [];

beforeAll(async () => {
  client = clientOf(sharedKubeconfig());
  await installApi(client, sharedKubeconfig(), process.env['INFER_TEST_KUBECTL'] ?? '');
  for (const name of [BATCH_ACCOUNT, GATEWAY_ACCOUNT, OTHER_ACCOUNT]) {
    await client.create(serviceAccounts, { metadata: { name, namespace } }).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }
  const spec = { serviceAccountName: BATCH_ACCOUNT, containers: [{ name: 'batch', image: 'infer:dev' }] };
  const { metadata } = await client.create(pods, { metadata: { name: POD, namespace }, spec });
  folder = await mkdtemp(join(tmpdir(), 'infer-batch-'));
  batchProcess = BatchProcess.start(sharedKubeconfig(), folder, {
    INFER_NAMESPACE: namespace,
    INFER_SERVICE_ACCOUNT: BATCH_ACCOUNT,
    INFER_POD_NAME: POD,
    INFER_POD_UID: metadata.uid ?? '',
    INFER_POD_IP: '127.0.0.1',
    INFER_GATEWAY_ADDRESS: '127.0.0.1:1',
  });
  origin = channelOrigin('127.0.0.1', Number(new URL(await batchProcess.serving()).port));
}, 120_000);

afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.destroy()));
  await batchProcess.end();
  await client.delete(pods, { namespace, name: POD });
  await rm(folder, { recursive: true });
  await client.close();
}, 30_000);

/** Returns the status of a list of files, asked for with the word of a ServiceAccount. */
async function listAs(name: string): Promise<number> {
  const agent = channelAgent(
    {
      identity: new ChannelIdentity({ client, account: { namespace, name } }),
      verifier: new PeerVerifier(client),
      instance: randomUUID(),
      peerAccount: { namespace, name: BATCH_ACCOUNT },
    },
    { maxConnectionsPerOrigin: 1 },
  );
  agents.push(agent);
  const { statusCode, body } = await request(`${origin}/v1/files`, { dispatcher: agent, headers: tenantHeaders() });
  await body.dump();
  return statusCode;
}

test('a gateway is answered', async () => {
  expect(await listAs(GATEWAY_ACCOUNT)).toBe(200);
});

test('another ServiceAccount is not', async () => {
  // By a close, an end or a reset: whichever the client is the first to notice.
  await expect(listAs(OTHER_ACCOUNT)).rejects.toThrow(/closed|ended by the other party|ECONNRESET/);
});

test('nor is whoever speaks plain HTTP', async () => {
  await expect(fetch(`${origin}/v1/files`, { headers: tenantHeaders() })).rejects.toThrow('fetch failed');
});

test('its worker runs batches: one of a file that is not there fails', async () => {
  const team = await createNamespace(client, 'batch-worker');
  const made = await client.create(inferenceBatches, {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'InferenceBatch',
    metadata: { namespace: team, name: 'unknown' },
    spec: { inputFileId: `file-${'0'.repeat(32)}`, endpoint: '/v1/chat/completions', apiKey: 'web' },
  });
  await eventually(async () => {
    const batch = await client.get(inferenceBatches, made.metadata);
    expect(batch?.status?.errors).toEqual([expect.objectContaining({ code: 'invalid_request', param: 'file_id' })]);
    expect(batch?.status?.conditions?.[0]).toMatchObject({ type: 'Complete', reason: 'Failed' });
  }, 20_000);
});
