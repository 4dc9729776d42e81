/** A new user's whole path by the CLI alone, on a real node: from the catalogue of what runs to nothing left behind. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import type { Cluster } from '../cluster/cluster-types.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { Cli } from '../support/cli.ts';
import type { CliOptions, CliResult } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { installInfer } from '../support/install.ts';

const NAME = 't-cli';
const NAMESPACE = 'team-a';
/** Opens the stand-in hub's gated models; it is made up here. */
const TOKEN = `hf_${'cli'.repeat(10)}`;

describe('the CLI', () => {
  let cluster: Cluster;
  let cli: Cli;
  let said = '';

  const infer = async (args: string[], options: CliOptions = {}): Promise<CliResult> => {
    const result = await cli.run(['-n', NAMESPACE, ...args], options);
    said += result.stdout + result.stderr;
    return result;
  };

  /** Returns standard output of a command that must succeed. */
  const done = async (args: string[], options: CliOptions = {}): Promise<string> => {
    const { code, stdout, stderr } = await infer(args, options);
    expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
    return stdout;
  };

  const k = async (...args: string[]): Promise<string> => await kubectl(cluster, ['-n', NAMESPACE, ...args]);

  beforeAll(async () => {
    await localClusterDown(NAME, () => undefined);
    cluster = await localClusterUp({ name: NAME, nodes: 1, progress: () => undefined, gpus: 2 });
    await installInfer(cluster, () => undefined);
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } };
    await kubectl(cluster, ['apply', '-f', '-'], stringify(namespace));
    await kubectl(cluster, ['-n', 'infer-system', 'set', 'env', 'deployment/hub-sim', `HUB_TOKEN=${TOKEN}`]);
    await kubectl(cluster, ['-n', 'infer-system', 'rollout', 'status', 'deployment/hub-sim', '--timeout=60s']);
    cli = Cli.build({ KUBECONFIG: cluster.kubeconfig });
  }, 900_000);
  afterAll(async () => {
    cli.remove();
    await localClusterDown(NAME, () => undefined);
  }, 120_000);

  test('deploy --wait tells each phase and returns when it serves', async () => {
    const { code, stdout, stderr } = await infer([
      'deploy',
      'infer-examples/tiny-llama',
      '--max-replicas',
      '2',
      '--wait',
    ]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/^tiny-llama is created in namespace team-a:/);
    expect(stdout).toContain('tiny-llama serves.');
    expect(stderr).toMatch(/tiny-llama: Loading: /);
    await k('wait', '--for=condition=Ready', 'infer/tiny-llama', '--timeout=10s');
  }, 180_000);

  test('status, top, events and logs show it from every side', async () => {
    expect(await done(['status'])).toMatch(/\ntiny-llama +infer-examples\/tiny-llama +gpu\.a100 +1\/1 .*Serving/);
    await eventually(async () => {
      const detail = await done(['status', 'tiny-llama']);
      expect(detail).toMatch(/^tiny-llama: Serving/);
      expect(detail).toMatch(/\nReplicas +1 of 1 ready; bounds 1 to 2\n/);
      expect(detail).toMatch(/\nEvents:\n(.*\n)*.*Serving/);
    }, 30_000);
    expect(await done(['status', '--all'])).toMatch(/\nteam-a +tiny-llama /);
    expect(await done(['models'])).toMatch(/\nDeployments:\n(.*\n)*tiny-llama /);
    expect(await done(['top', 'tiny-llama'])).toMatch(/^ID +RPS/);
    expect(await done(['events', 'tiny-llama'])).toMatch(/Loading[^]*Serving/);
    const log = await done(['logs', 'tiny-llama', '--tail', '50']);
    expect(log.split('\n').length).toBeGreaterThan(5);
  }, 120_000);

  test('keys, chat, batch, usage and open find the gateway by a port that is forwarded', async () => {
    const created = ['keys', 'create', 'mine', '--scope', 'inference,files,view', '--save'];
    const key = (await done(created)).trim();
    expect(key).toMatch(/^infer_\w+$/);
    // Gateways see a new key and a new deployment within a second or so.
    await eventually(async () => {
      const answer = await done(['chat', '-p', 'Hello', '--max-tokens', '8']);
      expect(answer.trim()).not.toBe('');
    }, 30_000);
    expect((await done(['chat', '-d', 'tiny-llama', '--max-tokens', '8'], { input: 'Hello' })).trim()).not.toBe('');
    expect(await infer(['chat', '-d', 'none', '-p', 'Hello'])).toMatchObject({ code: 3 });

    const folder = await mkdtemp(join(tmpdir(), 'infer-cli-e2e-'));
    const [prompts, answers] = [join(folder, 'prompts.txt'), join(folder, 'answers.jsonl')];
    await writeFile(prompts, 'Good or bad?\n'.repeat(20));
    const submit = ['batch', 'submit', prompts, '--prompts', '-d', 'tiny-llama', '--max-tokens', '4', '--wait'];
    const id = (await done(submit)).trim();
    expect(id).toMatch(/^batch_\w+$/);
    expect(await done(['batch', 'list'])).toMatch(new RegExp(`\n${id} +tiny-llama +completed +20 +0 +20 `));
    await done(['batch', 'results', id, '--to', answers]);
    const ids = (await readFile(answers, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { custom_id: string }).custom_id);
    expect(new Set(ids).size).toBe(20);
    await rm(folder, { recursive: true });

    await done(['usage']);
    const opened = await infer(['open', '--no-browser'], { interruptAt: 'until Ctrl-C' });
    expect(opened).toMatchObject({ code: 0, stdout: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/\n$/) });

    expect(await done(['keys', 'list'])).toMatch(/\nmine +Valid +inference,files,view .* here\n/);
    await done(['keys', 'revoke', 'mine']);
    await eventually(async () => {
      const refused = await infer(['chat', '-p', 'Hello'], { env: { INFER_API_KEY: key } });
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/not valid here/) });
    }, 10_000);
    expect(await infer(['chat', '-p', 'Hello'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/keys create/),
    });
  }, 300_000);

  test('logs -f goes on as the engine writes, until Ctrl-C or the end of the replica', async () => {
    const begun = Promise.withResolvers<string>();
    const following = infer(['logs', 'tiny-llama', '-f', '--tail', '1'], { onOutput: begun.resolve });
    const first = await Promise.race([begun.promise, following]);
    if (typeof first !== 'string') throw new Error(`logs ended before the replica: ${first.stderr}`);
    const pods = ['-l', 'infer.dev/deployment=tiny-llama,infer.dev/component=replica'];
    await k('delete', 'pods', ...pods, '--wait=false');
    const { code, stdout } = await following;
    expect(code).toBe(0);
    expect(stdout.length).toBeGreaterThan(first.length);
    await done(['start', 'tiny-llama', '--wait']);
  }, 120_000);

  test('stop ends its replicas, start --wait brings them back, update adds one', async () => {
    await done(['stop', 'tiny-llama']);
    const replicas = ['get', 'pods', '-l', 'infer.dev/component=replica', '-o', 'name'];
    await eventually(async () => expect(await k(...replicas)).toBe(''), 60_000);
    expect(await done(['status'])).toMatch(/\ntiny-llama .*Suspended/);
    expect(await done(['start', 'tiny-llama', '--wait'])).toBe('tiny-llama serves.\n');
    await done(['update', 'tiny-llama', '--min-replicas', '2']);
    await eventually(async () => expect(await done(['status'])).toMatch(/\ntiny-llama .* 2\/2 /), 60_000);
    await done(['update', 'tiny-llama', '--min-replicas', '1']);
  }, 240_000);

  test('a gated model: the diagnosis without its token, then with it it serves, and the token is seen nowhere', async () => {
    const deploy = ['deploy', 'infer-examples/gated-llama', '--name', 'gated', '--wait'];
    const wrong = await infer([...deploy, '-t', '-'], { input: `hf_${'wrong'.repeat(6)}` });
    expect(wrong.code).toBe(4);
    expect(wrong.stderr).toMatch(/gated cannot serve: TokenInvalid: /);
    await done(['delete', 'gated', '--yes']);
    await eventually(async () => expect(await k('get', 'secrets', '-o', 'name')).not.toContain('gated'), 60_000);
    await done([...deploy, '-t', '-'], { input: TOKEN });
    expect(said).not.toContain(TOKEN);
    await done(['delete', 'gated', '--yes']);
  }, 300_000);

  test('delete leaves nothing behind', async () => {
    await done(['delete', 'tiny-llama', '--yes']);
    const kinds = 'infer,deploy,svc,pdb,netpol,job,pods,secrets';
    await eventually(async () => expect(await k('get', kinds, '-o', 'name')).toBe(''), 90_000);
    expect((await infer(['status', 'tiny-llama'])).code).toBe(3);
  }, 120_000);
});
