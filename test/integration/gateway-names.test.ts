/** What a client's `model` reaches, by gateways on a real API server in front of simulated engines. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import { ownerOfName } from '../../src/api/model-names.ts';
import { inferenceDeployments } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { startFaultProxy, type FaultProxy } from '../faults/proxy.ts';
import { createApiKey } from '../support/api-key.ts';
import { ownAddress, writeEndpoints } from '../support/endpoints.ts';
import { eventually } from '../support/eventually.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { clientOf, createNamespace, sharedKubeconfig } from '../support/kube.ts';
import { GATEWAY_ACCOUNT, installApi } from '../support/product.ts';
import { createDeployment } from '../support/scenario.ts';
import { spawnSimulator, type SimulatorProcess } from '../vllm-sim/child.ts';

/** What a gateway answered, without what differs from request to request. */
interface Answer {
  status: number;
  headers: string[];
  body: string;
}

let client: KubeClient;
let proxy: FaultProxy;
let gateways: [GatewayProcess, GatewayProcess];
let urls: [string, string];
let engine: SimulatorProcess;
let teamA: string;
let teamB: string;
let ownKey: string;
let foreignKey: string;
let chat: InferenceDeployment;

beforeAll(async () => {
  client = clientOf(sharedKubeconfig());
  await installApi(client, sharedKubeconfig(), process.env['INFER_TEST_KUBECTL'] ?? '');
  [teamA, teamB] = [await createNamespace(client, 'names-a'), await createNamespace(client, 'names-b')];
  const models = ['--served-model-name', 'chat', 'shared', 'stopped', '--enable-lora'];
  const adapters = ['--lora-modules', 'chat:sql=org/lora-sql', 'shared:sql=org/lora-sql'];
  engine = spawnSimulator(['--model', 'org/model', ...models, ...adapters, '--host', ownAddress()], {
    SIM_SPEED: '50',
  });
  const named = { adapters: [{ name: 'sql', id: 'org/lora-sql' }] };
  chat = await createDeployment(client, teamA, 'chat', { ...named, aliases: ['llama'] });
  const shared = await createDeployment(client, teamA, 'shared', {
    ...named,
    aliases: ['Mistral-7B'],
    allowKeysFrom: [teamB],
  });
  const stopped = await createDeployment(client, teamA, 'stopped', { suspend: true });
  const port = Number(new URL(await engine.ready()).port);
  for (const deployment of [chat, shared, stopped])
    await writeEndpoints(client, deployment, [{ podUid: 'pod-1', port }]);
  ownKey = await createApiKey(client, teamA, 'web');
  foreignKey = await createApiKey(client, teamB, 'web');
  proxy = await startFaultProxy({ upstream: sharedKubeconfig(), impersonate: GATEWAY_ACCOUNT });
  gateways = [GatewayProcess.start(proxy.kubeconfig), GatewayProcess.start(proxy.kubeconfig)];
  urls = [await gateways[0].serving(), await gateways[1].serving()];
  await eventually(async () => expect((await complete('chat')).status).toBe(200));
}, 120_000);

afterAll(async () => {
  await Promise.all(gateways.map(async (gateway) => await gateway.end()));
  engine.child.kill('SIGKILL');
  await engine.ended;
  await proxy.stop();
  await client.close();
}, 30_000);

async function complete(model: string, options: { key?: string; stream?: boolean } = {}): Promise<Response> {
  return await fetch(`${urls[0]}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${options.key ?? ownKey}` },
    body: JSON.stringify({
      model,
      max_tokens: 8,
      stream: options.stream ?? false,
      messages: [{ role: 'user', content: 'Good morning' }],
    }),
  });
}

async function read(path: string, key = ownKey, url = urls[0]): Promise<Response> {
  return await fetch(url + path, { headers: { authorization: `Bearer ${key}` } });
}

/** The names and parents in GET /models. */
async function models(key: string, url?: string): Promise<[id: string, parent: string | undefined][]> {
  const { data } = (await (await read('/v1/models', key, url)).json()) as { data: { id: string; parent?: string }[] };
  return data.map(({ id, parent }) => [id, parent]);
}

async function answerOf(response: Response, model: string): Promise<Answer> {
  const changing = new Set(['x-request-id', 'date', 'content-length']);
  return {
    status: response.status,
    headers: [...response.headers].filter(([name]) => !changing.has(name)).map((header) => header.join(': ')),
    body: (await response.text()).replaceAll(model, 'MODEL'),
  };
}

async function edit(name: string, spec: object): Promise<void> {
  await client.patch(inferenceDeployments, { namespace: teamA, name }, { spec }, { type: 'merge' });
}

describe('aliases and adapters', () => {
  test('are answered under the name that the client sent, whole and as a stream', async () => {
    const texts = new Map<string, string>();
    for (const model of ['chat', 'llama', `${teamA}/llama`, 'chat:sql', 'llama:sql', `${teamA}/llama:sql`]) {
      const response = await complete(model);
      expect(response.status).toBe(200);
      const answer = (await response.json()) as { model: string; choices: { message: { content: string } }[] };
      expect(answer.model).toBe(model);
      texts.set(model, answer.choices[0]?.message.content ?? '');
      const events = (await (await complete(model, { stream: true })).text()).split('\n\n');
      const named = events.filter((event) => event.startsWith('data: {'));
      expect(named.length).toBeGreaterThan(2);
      for (const event of named) expect(JSON.parse(event.slice('data: '.length))).toMatchObject({ model });
    }
    // The adapter itself has answered, not its model.
    expect(texts.get('llama')).toBe(texts.get('chat'));
    expect(texts.get('llama:sql')).toBe(texts.get('chat:sql'));
    expect(texts.get('chat:sql')).not.toBe(texts.get('chat'));
  });

  test('stand in GET /models, adapters with their parent', async () => {
    expect(await models(ownKey)).toEqual([
      ['Mistral-7B', undefined],
      ['chat', undefined],
      ['chat:sql', 'chat'],
      ['llama', undefined],
      ['shared', undefined],
      ['shared:sql', 'shared'],
      ['stopped', undefined],
    ]);
    for (const id of ['llama', 'chat:sql', 'llama:sql', `${teamA}/chat:sql`, 'chat%3Asql']) {
      expect(await (await read(`/v1/models/${id}`)).json()).toMatchObject({
        id: decodeURIComponent(id),
        owned_by: teamA,
      });
    }
    expect(await (await read('/v1/models/llama:sql')).json()).toMatchObject({ parent: 'llama' });
  });

  test('that are not there are 404, and so is an alias within a second of being dropped', async () => {
    for (const model of ['mistral', 'chat:python', 'llama:python', 'sql', 'chat:']) {
      const response = await complete(model);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 'model_not_found' } });
    }
    await edit('chat', { aliases: ['llama', 'passing'] });
    await eventually(async () => expect((await complete('passing')).status).toBe(200));
    await edit('chat', { aliases: ['llama'] });
    await eventually(async () => expect((await complete('passing')).status).toBe(404), 1_000, 10);
  });

  test('of an engine from before an adapter was added are asked for again, not denied', async () => {
    await edit('chat', { adapters: [...(chat.spec.adapters ?? []), { name: 'later', id: 'org/lora-later' }] });
    await eventually(async () => expect((await models(ownKey)).map(([id]) => id)).toContain('chat:later'));
    const response = await complete('chat:later');
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '10']);
    expect(await response.json()).toMatchObject({ error: { code: 'model_not_ready' } });
    await edit('chat', { adapters: chat.spec.adapters });
  });
});

describe('a key of another namespace', () => {
  test('reaches what lets it in, by its whole name, with aliases and adapters', async () => {
    for (const name of ['shared', 'Mistral-7B', 'shared:sql', 'Mistral-7B:sql']) {
      const model = `${teamA}/${name}`;
      const response = await complete(model, { key: foreignKey });
      expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ model })]);
      expect((await complete(name, { key: foreignKey })).status).toBe(404);
    }
    expect(await models(foreignKey)).toEqual([
      [`${teamA}/Mistral-7B`, undefined],
      [`${teamA}/shared`, undefined],
      [`${teamA}/shared:sql`, `${teamA}/shared`],
    ]);
  });

  test('gets the very answer for what does not let it in as for what does not exist', async () => {
    const hidden = ['chat', 'llama', 'chat:sql', 'stopped', 'stopped:sql', 'shared:nothing', 'nothing', 'nothing:sql'];
    const answers = await Promise.all(
      hidden.flatMap((name) => {
        const model = `${teamA}/${name}`;
        return [
          complete(model, { key: foreignKey }).then((response) => answerOf(response, model)),
          complete(model, { key: foreignKey, stream: true }).then((response) => answerOf(response, model)),
          read(`/v1/models/${model}`, foreignKey).then((response) => answerOf(response, model)),
        ];
      }),
    );
    expect(answers[0]).toMatchObject({ status: 404, body: expect.stringContaining('"code":"model_not_found"') });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  test('is let in and shut out within a second', async () => {
    for (const [allowKeysFrom, status] of [
      [[teamB], 200],
      [null, 404],
    ] as const) {
      await edit('chat', { allowKeysFrom });
      await eventually(
        async () => expect((await complete(`${teamA}/chat`, { key: foreignKey })).status).toBe(status),
        1_000,
        10,
      );
    }
  });

  test('that names its deployments reaches no others', async () => {
    const limited = await createApiKey(client, teamB, 'limited', { deployments: ['shared', `${teamA}/other`] });
    await eventually(async () => expect((await read('/v1/models', limited)).status).toBe(200));
    expect(await models(limited)).toEqual([]);
    expect((await complete(`${teamA}/shared`, { key: limited })).status).toBe(404);
    const fitting = await createApiKey(client, teamB, 'fitting', { deployments: [`${teamA}/shared`] });
    await eventually(async () => expect((await complete(`${teamA}/shared`, { key: fitting })).status).toBe(200));
  });
});

describe('an alias that two deployments claim', () => {
  test('is in every gateway that of the older one, and the other’s as soon as it is free', async () => {
    const claimants = [
      await createDeployment(client, teamA, 'first', { aliases: ['contested'] }),
      await createDeployment(client, teamA, 'second', { aliases: ['contested'] }),
    ];
    const owner = ownerOfName('contested', claimants)?.metadata.name ?? '';
    const loser = owner === 'first' ? 'second' : 'first';
    const port = Number(new URL(await engine.ready()).port);
    const other = spawnSimulator(['--model', 'org/model', '--served-model-name', loser, '--host', ownAddress()]);
    try {
      // The engine of the owner does not know its name: whose engine was asked shows in the answer.
      const ports: Record<string, number> = { [owner]: port, [loser]: Number(new URL(await other.ready()).port) };
      for (const claimant of claimants) {
        const { name } = claimant.metadata;
        await writeEndpoints(client, claimant, [{ podUid: `pod-${name}`, port: ports[name] ?? 0 }]);
      }
      await eventually(async () => expect((await complete(loser)).status).toBe(200));
      for (const url of urls) {
        await eventually(async () => {
          const ids = (await models(ownKey, url)).map(([id]) => id);
          expect(ids.filter((id) => id === 'contested')).toHaveLength(1);
          expect(ids).toEqual(expect.arrayContaining(['first', 'second']));
        });
      }
      expect((await complete('contested')).status).toBe(503);
      await client.delete(inferenceDeployments, { namespace: teamA, name: owner });
      await eventually(async () => expect((await complete('contested')).status).toBe(200), 1_000, 10);
    } finally {
      other.child.kill('SIGKILL');
      await other.ended;
      await client.delete(inferenceDeployments, { namespace: teamA, name: loser });
    }
  }, 60_000);
});

test('nothing that a gateway asked of Kubernetes was forbidden', () => {
  expect(proxy.requests().filter(({ status }) => status === 403)).toEqual([]);
});
