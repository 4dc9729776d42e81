import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { runCli, type CliResult } from '../../../test/support/cli-run.ts';
import { startFakeObjectsApi, type FakeObjectsApi } from '../../../test/support/fake-objects-api.ts';

const DEPLOYMENT = '/apis/infer.dev/v1alpha1/namespaces/team-a/inferencedeployments/chat';
const SECRET = '/api/v1/namespaces/team-a/secrets/chat-hf-token';

let api: FakeObjectsApi;

beforeAll(async () => {
  api = await startFakeObjectsApi();
});
beforeEach(() => {
  api.objects.clear();
  api.refuse = () => undefined;
});
afterAll(async () => await api.close());

async function infer(...args: string[]): Promise<CliResult> {
  return await runCli(args, { env: { KUBECONFIG: api.kubeconfig }, input: 'hf_token' });
}

async function deploy(): Promise<CliResult> {
  return await infer('deploy', 'org/chat', '-t', '-');
}

function isCreate(method: string, path: string): boolean {
  return method === 'POST' && path.includes('/inferencedeployments') && !path.includes('dryRun');
}

describe('deploy with a token', () => {
  test('that is refused leaves no Secret', async () => {
    api.refuse = ({ method, path }) => (isCreate(method, path) ? { status: 403, message: 'quota' } : undefined);
    expect(await deploy()).toMatchObject({ code: 1 });
    expect([...api.objects.keys()]).toEqual([]);
  });

  test('whose fate is not known keeps the Secret, which a created one needs', async () => {
    api.refuse = ({ method, path }) =>
      isCreate(method, path) ? { status: 504, message: 'too late', afterwards: true } : undefined;
    const { code, stderr } = await deploy();
    expect(code).toBe(1);
    expect(stderr).toMatch(/not known whether chat was created; Secret chat-hf-token stays/);
    expect([...api.objects.keys()]).toEqual([SECRET, DEPLOYMENT]);
  });

  test('that was created keeps the Secret also where that cannot be tied to it', async () => {
    api.refuse = ({ method, path }) =>
      method === 'PATCH' && path.startsWith(SECRET) ? { status: 403, message: 'no patch' } : undefined;
    const { code, stderr } = await deploy();
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^Error: chat is created and has its token, but .*no patch\.\nNext: .*infer update chat -t -/m,
    );
    expect([...api.objects.keys()]).toEqual([SECRET, DEPLOYMENT]);
  });
});

function store(fields = {}): void {
  const metadata = { name: 'chat', namespace: 'team-a', uid: 'uid-1', ...fields };
  api.objects.set(DEPLOYMENT, { metadata, spec: { model: { id: 'org/chat' } } });
}

describe('update with a token', () => {
  test('that the API server refuses stores nothing', async () => {
    store();
    api.refuse = ({ method, path }) =>
      method === 'PATCH' && path.startsWith(DEPLOYMENT) ? { status: 422, message: 'no' } : undefined;
    expect(await infer('update', 'chat', '-t', '-')).toMatchObject({ code: 2 });
    expect([...api.objects.keys()]).toEqual([DEPLOYMENT]);
    api.refuse = () => undefined;
    const { code, stdout } = await infer('update', 'chat', '-t', '-');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.not.stringContaining('null') });
    expect(api.objects.has(SECRET)).toBe(true);
  });

  test('of what Git keeps is refused with what to write there, but for a dry run', async () => {
    store({ labels: { 'argocd.argoproj.io/instance': 'llms' } });
    const refused = await infer('update', 'chat', '-t', '-');
    expect(refused.code).toBe(5);
    expect(refused.stderr).toMatch(/tokenSecretRef:\n +name: chat-hf-token\n +--force/);
    expect([...api.objects.keys()]).toEqual([DEPLOYMENT]);
    expect(await infer('update', 'chat', '--min-replicas', '2', '--dry-run')).toMatchObject({ code: 0 });
  });
});

test('a key that Git keeps is revoked there, or with --force', async () => {
  const path = '/apis/infer.dev/v1alpha1/namespaces/team-a/apikeys/web';
  const labels = { 'kustomize.toolkit.fluxcd.io/name': 'llms' };
  api.objects.set(path, { metadata: { name: 'web', uid: 'uid-1', labels }, spec: {} });
  expect(await infer('keys', 'revoke', 'web')).toMatchObject({
    code: 5,
    stderr: expect.stringMatching(/Flux keeps web[^]*disabled: true/),
  });
  expect(await infer('keys', 'revoke', 'web', '--delete')).toMatchObject({ code: 5 });
  expect(api.objects.get(path)?.['spec']).toEqual({});
  expect(await infer('keys', 'revoke', 'web', '--force')).toMatchObject({ code: 0 });
  expect(api.objects.get(path)?.['spec']).toEqual({ disabled: true });
});
