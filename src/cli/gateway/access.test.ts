import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { runCli, startCli, type CliResult } from '../../../test/support/cli-run.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { startFakeKubeApi, type FakeKubeApi } from '../../../test/support/fake-kube-api.ts';
import { answerJson, startHttpStub, type HttpStub } from '../../../test/support/http-stub.ts';
import { createKey } from '../../gateway/auth/key.ts';
import { ingressUrl, serviceUrl } from './address.ts';
import { baseUrlOf, isInsideCluster, pageUrlOf } from './base-url.ts';
import { forgetKey, keyFilePath, readSavedKey, saveKey } from './key-file.ts';

const PODS = '/api/v1/namespaces/infer-system/pods';
const DEPLOYMENTS = '/apis/infer.dev/v1alpha1/namespaces/team-a/inferencedeployments';
const INGRESSES = '/apis/networking.k8s.io/v1/namespaces/infer-system/ingresses';

let api: FakeKubeApi;
let gateway: HttpStub;
let home: string;
let env: Record<string, string>;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'infer-cli-'));
  api = await startFakeKubeApi();
  gateway = await startHttpStub((_, response) => answerJson(response, { data: [] }));
  api.target = Number(new URL(gateway.url).port);
});
beforeEach(() => {
  api.lists.clear();
  api.forwarded.length = 0;
  gateway.requests.length = 0;
  env = { KUBECONFIG: api.kubeconfig, XDG_CONFIG_HOME: home, INFER_API_KEY: 'infer_key' };
});
afterAll(async () => {
  await api.close();
  await gateway.close();
  await rm(home, { recursive: true });
});

function pod(name: string, ready: 'True' | 'False'): object {
  return { metadata: { name }, status: { conditions: [{ type: 'Ready', status: ready }] } };
}

function deploymentAt(baseUrl: string): object {
  return { metadata: { name: 'chat' }, status: { endpoint: { baseUrl } } };
}

function ingress(host: string, status: object): object {
  const rules = [{ host, http: { paths: [{ backend: { service: { name: 'infer-gateway' } } }] } }];
  return { metadata: { name: host }, spec: { rules }, status };
}

/** A command that asks the gateway one thing. */
async function ask(...args: string[]): Promise<CliResult> {
  return await runCli(['batch', 'list', ...args], { env });
}

describe('the gateway', () => {
  test('is that of --gateway, else of INFER_BASE_URL', async () => {
    env['INFER_BASE_URL'] = 'http://127.0.0.1:1/v1';
    expect(await ask('--gateway', gateway.url)).toMatchObject({ code: 0 });
    expect(gateway.requests[0]?.path).toBe('/v1/batches?limit=20');
    env['INFER_BASE_URL'] = `${gateway.url}/v1/`;
    expect(await ask()).toMatchObject({ code: 0 });
    expect(api.forwarded).toEqual([]);
  });

  test('is where deployments of the namespace say, but for what only pods reach', async () => {
    api.lists.set(DEPLOYMENTS, [
      deploymentAt('http://infer-gateway.infer-system.svc/v1'),
      deploymentAt(`${gateway.url}/v1`),
    ]);
    expect(await ask()).toMatchObject({ code: 0 });
    expect(api.forwarded).toEqual([]);
  });

  test('is where an Ingress says, told when nothing answers there', async () => {
    const backend = { service: { name: 'infer-gateway' } };
    const rules = [{ host: 'infer.invalid', http: { paths: [{ backend }] } }];
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } };
    api.lists.set(INGRESSES, [{ metadata: { name: 'infer' }, spec: { rules }, status }]);
    const { code, stderr } = await ask();
    expect({ code, stderr }).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/http:\/\/infer\.invalid\/v1 gave no answer/),
    });
  });

  test('is not what sends on to another address', async () => {
    const other = await startHttpStub(
      (_, response) => void response.writeHead(308, { location: 'https://x/v1' }).end(),
    );
    expect(await ask('--gateway', other.url)).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/sends on to https:\/\/x\/v1\.\nNext:.*--gateway URL/),
    });
    await other.close();
  });

  test('is else a pod that is ready, by a port that is forwarded for as long as the command', async () => {
    api.lists.set(PODS, [pod('gateway-1', 'False'), pod('gateway-2', 'True')]);
    expect(await ask()).toMatchObject({ code: 0 });
    expect(new Set(api.forwarded)).toEqual(new Set(['gateway-2']));
    expect(gateway.requests[0]?.headers['authorization']).toBe('Bearer infer_key');
  });

  test('that is not there, or not to be reached, is told with what to do', async () => {
    api.lists.set(PODS, [pod('gateway-1', 'False')]);
    expect(await ask()).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/No gateway of Infer is ready[^]*Next:.*get pods/),
    });
    api.lists.set(PODS, { code: 403, message: 'pods is forbidden' });
    expect(await ask()).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/pods is forbidden[^]*Next:.*--gateway URL[^]*pods\/portforward/),
    });
  });
});

describe('the page', () => {
  test('is opened by its URL', async () => {
    env['INFER_BASE_URL'] = 'https://infer.example.com/api/v2/external/v1';
    const { code, stdout } = await runCli(['open', 'team-b/llama', '--no-browser'], { env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'https://infer.example.com/#/team-b/llama\n' });
  });

  test('stays reachable by a forwarded port until Ctrl-C', async () => {
    api.lists.set(PODS, [pod('gateway-1', 'True')]);
    const cli = startCli(['open', '--no-browser'], { env });
    await eventually(async () => expect(cli.stderr()).toMatch(/until Ctrl-C/));
    expect((await fetch(cli.stdout().trim())).status).toBe(200);
    cli.interrupt();
    expect((await cli.ended).code).toBe(0);
    await expect(fetch(cli.stdout().trim())).rejects.toThrow('fetch failed');
  });
});

describe('the key', () => {
  test('is that of INFER_API_KEY, else the one saved for the cluster and the namespace', async () => {
    delete env['INFER_API_KEY'];
    env['INFER_BASE_URL'] = gateway.url;
    expect(await ask()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no API key for the namespace team-a[^]*infer keys create/),
    });
    const server = /server: (\S+)/.exec(await readFile(api.kubeconfig, 'utf8'))?.[1] ?? '';
    const saved = { server, namespace: 'team-a', name: 'ann', key: 'infer_saved' };
    const path = await saveKey(env, saved);
    await saveKey(env, { ...saved, server: 'https://other', key: 'infer_other' });
    expect(await ask()).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /saved key ann is not sent to http[^]*INFER_API_KEY[^]*infer keys save ann --gateway http/,
      ),
    });
    expect(gateway.requests).toEqual([]);
    await saveKey(env, { ...saved, gateway: `${gateway.url}/v1` });
    expect(await ask()).toMatchObject({ code: 0 });
    expect(gateway.requests[0]?.headers['authorization']).toBe('Bearer infer_saved');
    expect(await ask('-n', 'team-b')).toMatchObject({ code: 1 });
    await chmod(path, 0o640);
    expect(await ask()).toMatchObject({ code: 1, stderr: expect.stringMatching(/Others can read[^]*chmod 600/) });
  });

  test('that was saved goes to the gateway that the cluster tells, however that is named', async () => {
    delete env['INFER_API_KEY'];
    const server = /server: (\S+)/.exec(await readFile(api.kubeconfig, 'utf8'))?.[1] ?? '';
    await saveKey(env, { server, namespace: 'team-a', name: 'ann', key: 'infer_saved' });
    api.lists.set(DEPLOYMENTS, [deploymentAt(`${gateway.url}/v1`)]);
    expect(await ask('--gateway', gateway.url)).toMatchObject({ code: 0 });
    expect(await ask()).toMatchObject({ code: 0 });
    expect(await ask('--gateway', 'http://127.0.0.1:1')).toMatchObject({ code: 2 });
  });

  test('that was saved goes to the host of an Ingress without an address', async () => {
    delete env['INFER_API_KEY'];
    const server = /server: (\S+)/.exec(await readFile(api.kubeconfig, 'utf8'))?.[1] ?? '';
    await saveKey(env, { server, namespace: 'team-a', name: 'ann', key: 'infer_saved' });
    const bare = ingress('bare.invalid', {});
    api.lists.set(INGRESSES, [bare]);
    expect(await ask('--gateway', 'http://bare.invalid')).toMatchObject({ code: 6 });
    expect(await ask()).toMatchObject({ code: 6, stderr: expect.stringMatching(/bare\.invalid\/v1 gave no answer/) });
    // One that is served comes first, and the key goes to both.
    api.lists.set(INGRESSES, [bare, ingress('served.invalid', { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } })]);
    expect((await ask()).stderr).toMatch(/served\.invalid\/v1 gave no answer/);
    expect(await ask('--gateway', 'http://bare.invalid')).toMatchObject({ code: 6 });
    expect(await ask('--gateway', 'http://other.invalid')).toMatchObject({ code: 2 });
  });

  test('that was given is saved for a URL, from standard input or as typed', async () => {
    delete env['INFER_API_KEY'];
    const { key } = createKey({ namespace: 'team-a', name: 'web', randomBytes });
    const args = ['keys', 'save', 'web', '--gateway', gateway.url];
    const { code, stdout, stderr } = await runCli(args, { env, input: `${key}\n` });
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toMatch(/saved in .*keys\.json for namespace team-a of this cluster and for http:.*\/v1: /);
    expect(await ask('--gateway', gateway.url)).toMatchObject({ code: 0 });
    expect(gateway.requests[0]?.headers['authorization']).toBe(`Bearer ${key}`);

    const { key: other } = createKey({ namespace: 'team-a', name: 'web', randomBytes });
    const typed = startCli(args, { env, terminal: true });
    await eventually(async () => expect(typed.stderr()).toMatch(/API key \(not shown\)/));
    typed.stdin.write(`${other}\r`);
    expect((await typed.ended).code).toBe(0);
    expect(typed.stderr()).not.toContain(other);
    await ask('--gateway', gateway.url);
    expect(gateway.requests[1]?.headers['authorization']).toBe(`Bearer ${other}`);

    for (const input of ['', 'hf_token', key.slice(0, -1)]) {
      expect(await runCli(args, { env, input })).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/no API key on standard input/),
      });
    }
  });

  test('is told to go unencrypted where it leaves this machine', async () => {
    const { stderr } = await ask('--gateway', 'http://infer.invalid');
    expect(stderr).toMatch(/^Warning: http:\/\/infer\.invalid\/v1 is not encrypted/);
    expect((await ask('--gateway', gateway.url)).stderr).not.toMatch(/Warning/);
  });

  test('is kept in a file that nobody else reads, one for each place', async () => {
    const place = { server: 'https://cluster', namespace: 'team-a' };
    await saveKey(env, { ...place, name: 'old', key: 'infer_1' });
    const path = await saveKey(env, { ...place, name: 'new', key: 'infer_2' });
    expect(path).toBe(join(home, 'infer', 'keys.json'));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readSavedKey(env, place)).toMatchObject({ name: 'new', key: 'infer_2' });
    expect(await forgetKey(env, place, 'old')).toBe(false);
    expect(await forgetKey(env, place, 'new')).toBe(true);
    expect(await readSavedKey(env, place)).toBeUndefined();
    await writeFile(path, 'infer_key');
    await expect(readSavedKey(env, place)).rejects.toThrow(`${path} is not a file of keys`);
    await rm(path);
    expect(keyFilePath({ HOME: '/home/ann' })).toBe('/home/ann/.config/infer/keys.json');
  });
});

describe('addresses', () => {
  test.each([
    ['https://infer.example.com', 'https://infer.example.com/v1'],
    ['https://infer.example.com/v1/', 'https://infer.example.com/v1'],
    ['https://example.com/infer', 'https://example.com/infer/v1'],
    ['http://10.0.0.1:8080/api/v2/external', 'http://10.0.0.1:8080/api/v2/external'],
    ['infer.example.com', undefined],
    ['ftp://infer.example.com', undefined],
  ])('%s is %s', (text, expected) => expect(baseUrlOf(text)).toBe(expected));

  test('of the page', () => {
    expect(pageUrlOf('https://example.com/infer/v1')).toBe('https://example.com/infer/');
    expect(pageUrlOf('https://example.com/api/v2/external', 'llama')).toBe('https://example.com/#/llama');
  });

  test('that only pods know', () => {
    const inside = ['infer-gateway.infer-system.svc', 'infer-gateway.infer-system', 'infer-gateway'];
    const outside = ['10.0.0.1', '[fd00::1]', 'localhost:80', 'infer-gateway.example'];
    const known = [...inside, ...outside].filter((host) => isInsideCluster(`http://${host}/v1`, 'infer-system'));
    expect(known).toEqual(inside);
  });

  test('of an Ingress and of a Service', () => {
    const metadata = { name: 'infer' };
    const status = { loadBalancer: { ingress: [{ ip: '203.0.113.7' }] } };
    const backend = { service: { name: 'infer-gateway' } };
    const http = { paths: [{ backend }] };
    const rules = [{ host: 'infer.example.com', http }];
    expect(ingressUrl({ metadata, spec: { rules }, status })).toBe('http://infer.example.com');
    expect(ingressUrl({ metadata, spec: { rules, tls: [{ hosts: ['infer.example.com'] }] }, status })).toBe(
      'https://infer.example.com',
    );
    expect(ingressUrl({ metadata, spec: { rules } })).toBe('http://infer.example.com');
    expect(ingressUrl({ metadata, spec: { rules: [{ http }] } })).toBeUndefined();
    expect(ingressUrl({ metadata, spec: { rules: [{ host: 'other.example.com' }] }, status })).toBeUndefined();
    const at = (path: string): string | undefined =>
      ingressUrl({
        metadata,
        spec: { rules: [{ host: 'x.example.com', http: { paths: [{ path, backend }] } }] },
        status,
      });
    expect(at('/infer/')).toBe('http://x.example.com/infer');
    expect(at('/')).toBe('http://x.example.com');
    expect(at('/infer(/|$)(.*)')).toBeUndefined();
    expect(ingressUrl({ metadata, spec: { rules: [{ http }] }, status })).toBe('http://203.0.113.7');
    expect(serviceUrl({ metadata, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] }, status })).toBe(
      'http://203.0.113.7:80',
    );
    expect(serviceUrl({ metadata, spec: { type: 'ClusterIP', ports: [{ port: 80 }] } })).toBeUndefined();
  });
});
