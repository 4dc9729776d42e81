/** `infer keys` on a real API server, and the gateway that takes and refuses the keys. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { GATEWAY_POD_LABELS } from '../../src/api/labels.ts';
import { apiKeys, pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { parseKey } from '../../src/gateway/auth/key.ts';
import { runCli, type CliResult } from '../support/cli-run.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { clientOf, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import { installApi } from '../support/product.ts';

let client: KubeClient;
let gateway: GatewayProcess;
let url: string;
let namespace: string;
let home: string;

beforeAll(async () => {
  client = clientOf(sharedKubeconfig());
  await installApi(client, sharedKubeconfig(), process.env['INFER_TEST_KUBECTL'] ?? '');
  namespace = await createNamespace(client, 'cli-keys');
  home = await mkdtemp(join(tmpdir(), 'infer-cli-keys-'));
  gateway = GatewayProcess.start(sharedKubeconfig());
  url = await gateway.serving();
}, 120_000);
afterAll(async () => {
  await gateway.end();
  await client.close();
  await rm(home, { recursive: true });
}, 30_000);

async function infer(...args: string[]): Promise<CliResult> {
  const env = { KUBECONFIG: sharedKubeconfig(), XDG_CONFIG_HOME: home, INFER_BASE_URL: url };
  return await runCli([...args, '-n', namespace], { env });
}

/** A gateway's pod that is ready, on a node that nobody is at. */
async function createGatewayPod(): Promise<void> {
  const metadata = { namespace, name: 'gateway-1', labels: GATEWAY_POD_LABELS };
  const spec = {
    nodeName: 'nowhere',
    automountServiceAccountToken: false,
    containers: [{ name: 'gateway', image: 'x' }],
  };
  await client.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata, spec });
  const status = { conditions: [{ type: 'Ready', status: 'True' }] };
  await client.patch(pods, { namespace, name: 'gateway-1' }, { status }, { type: 'merge', subresource: 'status' });
}

/** The status that the gateway answers a key with. */
async function status(key: string): Promise<number> {
  return (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;
}

test('a key is made, shown once and alone, and works', async () => {
  const { code, stdout, stderr } = await infer(
    'keys',
    'create',
    'web',
    '--scope',
    'inference,view',
    '--expires',
    '90d',
  );
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: expect.stringMatching(/shown this once\. It is valid until 20/),
  });
  const key = stdout.trim();
  expect(`${key}\n`).toBe(stdout);
  const resource = await client.get(apiKeys, { namespace, name: 'web' });
  expect(resource?.spec).toMatchObject({ keyId: parseKey(key)?.keyId, scopes: ['inference', 'view'] });
  expect(JSON.stringify(resource)).not.toContain(parseKey(key)?.secret);
  await eventually(async () => expect(await status(key)).toBe(200));
});

test('a saved key is what other commands take', async () => {
  expect(await infer('chat', '-p', 'Hello')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/infer keys create/),
  });
  const { stdout } = await infer('keys', 'create', 'mine', '--save');
  await eventually(async () => expect(await status(stdout.trim())).toBe(200));
  expect(await infer('chat', '-p', 'Hello')).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/no deployment to talk to/),
  });
});

test('keys are listed without what is secret', async () => {
  const { stdout } = await infer('keys', 'list');
  expect(stdout).toMatch(/^NAME +STATE +SCOPES +DEPLOYMENTS +EXPIRES +AGE +SAVED\n/);
  expect(stdout).toMatch(/\nmine +Valid +inference +all +never +\S+ +here\n/);
  expect(stdout).toMatch(/\nweb +Valid +inference,view +all +20\S+Z +\S+\n/);
});

test('a revoked key is refused at once, keeps its resource, and is forgotten here', async () => {
  const { stdout } = await infer('keys', 'create', 'gone');
  const key = stdout.trim();
  await eventually(async () => expect(await status(key)).toBe(200));
  expect(await infer('keys', 'revoke', 'gone')).toMatchObject({ code: 0 });
  await eventually(async () => expect(await status(key)).toBe(401), 5_000);
  expect((await infer('keys', 'list')).stdout).toMatch(/\ngone +Revoked /);
  expect(await infer('keys', 'revoke', 'mine')).toMatchObject({
    stderr: expect.stringMatching(/not saved here any more/),
  });
  expect(await infer('keys', 'create', 'gone')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/revoke gone --delete/),
  });
  expect(await infer('keys', 'revoke', 'gone', '--delete')).toMatchObject({ code: 0 });
  expect(await client.get(apiKeys, { namespace, name: 'gone' })).toBeUndefined();
  expect(await infer('keys', 'revoke', 'gone')).toMatchObject({ code: 3 });
});

test('an upload that is refused before its end is told as refused', async () => {
  const { stdout } = await infer('keys', 'create', 'narrow');
  const key = stdout.trim();
  await eventually(async () => expect(await status(key)).toBe(200));
  const file = join(home, 'large.jsonl');
  await writeFile(file, '{"custom_id":"1","method":"POST","url":"/v1/embeddings","body":{}}\n'.repeat(500_000));
  const env = { KUBECONFIG: sharedKubeconfig(), INFER_BASE_URL: url, INFER_API_KEY: key };
  const result = await runCli(['batch', 'submit', file], { env });
  expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(/lacks the scope "files"[^]*Next:.*--scope/) });
});

test('what a key may not be is told', async () => {
  expect(await infer('keys', 'create', 'x', '--scope', 'root')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/scopes/),
  });
  expect(await infer('keys', 'create', 'x', '--expires', '2020-01-01')).toMatchObject({ code: 2 });
});

test('a gateway that no port can be forwarded to is told in the words of the API server', async () => {
  const env = { KUBECONFIG: sharedKubeconfig(), XDG_CONFIG_HOME: home, INFER_API_KEY: 'infer_key' };
  const list = ['batch', 'list', '-n', namespace];
  expect(await runCli(list, { env })).toMatchObject({
    code: 6,
    stderr: expect.stringMatching(/No gateway of Infer is ready/),
  });
  await createGatewayPod();
  const { code, stderr } = await runCli(list, { env });
  expect({ code, stderr }).toEqual({
    code: 6,
    stderr: expect.stringMatching(/no port can be forwarded to it: .*nowhere/),
  });
});
