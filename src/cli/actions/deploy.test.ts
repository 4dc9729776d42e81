import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { runCli, type CliResult } from '../../../test/support/cli-run.ts';
import { startFakeObjectsApi, type FakeObjectsApi } from '../../../test/support/fake-objects-api.ts';

let api: FakeObjectsApi;

beforeAll(async () => {
  api = await startFakeObjectsApi();
});
beforeEach(() => {
  api.refuse = () => undefined;
});
afterAll(async () => await api.close());

async function deploy(...args: string[]): Promise<CliResult> {
  return await runCli(['deploy', ...args], { env: { KUBECONFIG: api.kubeconfig } });
}

async function offline(...args: string[]): Promise<CliResult> {
  return await runCli(['deploy', ...args, '--dry-run'], { env: { KUBECONFIG: '/nonexistent' } });
}

test('a catalogue that may not be read is not one without the model', async () => {
  expect(await deploy('llama-8b')).toMatchObject({ code: 3, stderr: expect.stringMatching(/catalogue has no model/) });
  api.refuse = ({ path }) => (path.includes('catalogmodels') ? { status: 403, message: 'forbidden' } : undefined);
  expect(await deploy('llama-8b')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/is not known[^]*Next:.*catalogmodels\.infer\.dev in infer-system/),
  });
  expect(await offline('llama-8b')).toMatchObject({ code: 1, stderr: expect.stringMatching(/without a cluster/) });
});

test.each(['Big', '7b', 'a-', 'a'.repeat(41)])('without a cluster the name %s is refused too', async (name) => {
  expect(await offline('org/model', '--name', name)).toMatchObject({ code: 2, stdout: '' });
});

test.each(['claim:weights', 'claim:weights/'])('%s is named after its claim', async (model) => {
  expect(await offline(model, '-o', 'name')).toMatchObject({ stdout: 'inferencedeployments.infer.dev/weights\n' });
});
