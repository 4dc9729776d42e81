import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fieldsOf } from '../../src/api/schema.ts';
import type { Definition } from '../../src/api/schema.ts';
import { catalogueMistakes, keyMistakes } from './admission/catalogue-and-keys.ts';
import { fill, leafCount, merge, wrongType } from './admission/field-values.ts';
import { profileMistakes } from './admission/hardware-profile.ts';
import { batchMistakes } from './admission/inference-batch.ts';
import { deploymentMistakes } from './admission/inference-deployment.ts';
import { definitions, manifest, specSchema, createPlayground, valid } from './admission/manifests.ts';
import type { Playground } from './admission/manifests.ts';

let playground: Playground;
/** All that the API playground answered to mistakes, to see at the end that every rule was hit. */
let answers = '';

beforeAll(async () => {
  playground = await createPlayground();
}, 60_000);
afterAll(async () => await playground.remove());

async function refused(text: string, ...args: string[]): Promise<string> {
  const answer = await playground.tryCreate(text, ...args);
  answers += answer;
  return answer;
}

/** Returns a valid spec in which the fields that objects require are there as well. */
function filled(kind: string): unknown {
  if (kind !== 'HardwareProfile') return valid[kind];
  const modelCache = { type: 'PersistentVolumeClaim', claim: { size: '1Gi' } };
  return { ...valid[kind], accelerator: { memoryGiB: 80 }, modelCache };
}

describe('a name', () => {
  test.each([
    ['with upper-case letters', 'Llama'],
    ['with a dot', 'llama.8b'],
    ['that starts with a digit', '8b-llama'],
    ['that starts with a hyphen', '-llama'],
    ['with an underscore', 'llama_8b'],
    ['of 41 characters', 'a'.repeat(41)],
    ['of 253 characters', 'a'.repeat(253)],
    ['of 254 characters', 'a'.repeat(254)],
    ['in another script', 'лама'],
  ])('%s is refused for a deployment', async (_, name) => {
    expect(await refused(manifest('InferenceDeployment', valid['InferenceDeployment'], name))).toContain(
      'metadata.name must have at most 40 characters, start with a letter and hold only lower-case letters, digits',
    );
  });

  test.each(['HardwareProfile', 'CatalogModel', 'APIKey'])('of 64 characters is refused for a %s', async (kind) => {
    expect(await refused(manifest(kind, valid[kind], 'a'.repeat(64)))).toContain(
      'metadata.name must be at most 63 lower-case letters, digits, dots and hyphens',
    );
    expect(await refused(manifest(kind, valid[kind], 'a'.repeat(63)))).toBe('');
  });

  test.each(['a'.repeat(49), 'nightly.labels', '-labels'])('%s is refused for a batch', async (name) => {
    expect(await refused(manifest('InferenceBatch', valid['InferenceBatch'], name))).toContain(
      'metadata.name must be at most 48 lower-case letters, digits and hyphens',
    );
  });

  test('of 40 characters is accepted for a deployment', async () => {
    expect(await refused(manifest('InferenceDeployment', valid['InferenceDeployment'], 'a'.repeat(40)))).toBe('');
  });
});

describe.each([
  ['InferenceDeployment', deploymentMistakes],
  ['HardwareProfile', profileMistakes],
  ['CatalogModel', catalogueMistakes],
  ['APIKey', keyMistakes],
  ['InferenceBatch', batchMistakes],
])('%s refuses', (kind, mistakes) => {
  test.each(mistakes)('$sentence', async ({ spec, answer }) => {
    expect(await refused(manifest(kind, { ...valid[kind], ...spec }))).toContain(answer);
  });

  test('a spec that is missing', async () => {
    expect(
      await refused(JSON.stringify({ apiVersion: 'infer.dev/v1alpha1', kind, metadata: { name: 'a' } })),
    ).toContain('spec: Required value');
  });

  test('an unknown field, by its name', async () => {
    expect(await refused(manifest(kind, { ...valid[kind], replica: 3 }))).toContain('unknown field "spec.replica"');
  });

  test('a value of the wrong type in every field', async () => {
    const { value, paths } = fill(specSchema(kind), wrongType);
    const answer = await refused(manifest(kind, value));
    expect(paths).toHaveLength(leafCount(specSchema(kind)));
    for (const path of paths) expect(answer).toContain(`${path} in body must be of type`);
  });

  test('a huge number in every field', async () => {
    const { value, paths } = fill(specSchema(kind), ({ type }) =>
      type === 'integer' || type === 'number' ? 9e15 : undefined,
    );
    const answer = await refused(manifest(kind, merge(filled(kind), value)));
    for (const path of paths) expect(answer).toContain(`${path} in body should be less than or equal to`);
  });

  test('a negative number in every field', async () => {
    const { value, paths } = fill(specSchema(kind), ({ type }) =>
      type === 'integer' || type === 'number' ? -1 : undefined,
    );
    const answer = await refused(manifest(kind, merge(filled(kind), value)));
    for (const path of paths) expect(answer).toMatch(`${path} in body should be greater than`);
  });

  test('a text of 5,000 characters in every field', async () => {
    const { value, paths } = fill(specSchema(kind), (leaf) =>
      leaf.type === 'string' && leaf.enum === undefined ? 'x'.repeat(5000) : undefined,
    );
    const answer = await refused(manifest(kind, value));
    expect(paths.length).toBeGreaterThan(1);
    for (const path of paths) expect(answer).toContain(`${path}: Too long: may not be more than`);
  });

  test.each([
    ['blank', '  '],
    ['in another script', 'é'],
    ['with a line break', 'a\nb'],
    ['with a NUL', 'a\u0000b'],
  ])('a text that is %s in every field but free text', async (_, text) => {
    const freeText = new Set(['spec.description', 'spec.license']);
    const { value, paths } = fill(specSchema(kind), ({ type, format, enum: values }, path) =>
      type === 'string' && format === undefined && values === undefined && !freeText.has(path) ? text : undefined,
    );
    const answer = await refused(manifest(kind, merge(filled(kind), value)));
    expect(paths.length).toBeGreaterThan(1);
    for (const path of paths) expect(answer).toContain(`${path}: Invalid value`);
  });
});

describe('a deployment', () => {
  test('with a megabyte of pod labels is refused by their number', async () => {
    const podLabels = Object.fromEntries(Array.from({ length: 12_000 }, (_, n) => [`label-${n}`, 'x'.repeat(63)]));
    expect(await refused(manifest('InferenceDeployment', { model: { id: 'org/name' }, podLabels }))).toContain(
      'spec.podLabels: Too many: 12000: must have at most 16 items',
    );
  });

  test('with an unknown field is accepted without it by a client that does not ask for strictness', async () => {
    const text = manifest('InferenceDeployment', { ...valid['InferenceDeployment'], replica: 3 });
    expect(await refused(text, '--validate=ignore')).toBe('');
  });

  test('says all that is wrong at once', async () => {
    const answer = await refused(
      manifest('InferenceDeployment', {
        model: { id: 'https://huggingface.co/a/b' },
        aliases: ['a/b'],
        hardwareProfile: 'A100',
      }),
    );
    for (const field of ['spec.model.id', 'spec.aliases[0]', 'spec.hardwareProfile'])
      expect(answer).toContain(`* ${field}: `);
  });

  test('that is valid stays so when it is changed, and a wrong change is refused', async () => {
    await playground.kubectl(
      ['create', '-f', '-'],
      manifest('InferenceDeployment', valid['InferenceDeployment'], 'changed'),
    );
    const patch = ['patch', 'infer', 'changed', '--type=merge', '-p'];
    expect(await playground.refusal([...patch, '{"spec":{"maxReplicas":2,"minReplicas":3}}'])).toContain(
      'maxReplicas must be at least minReplicas',
    );
    expect(await playground.refusal([...patch, '{"spec":{"minReplicas":3}}'])).toBe('');
  });

  test.each([
    [
      'every setting that this version has',
      {
        model: {
          id: 'Org-1.x/name_2.0-GGUF',
          revision: 'refs/pr/12',
          tokenSecretRef: { name: 'hf.token', key: 'HF_TOKEN' },
        },
        hardwareProfile: 'gpu.h100.8',
        minReplicas: 0,
        maxReplicas: 4,
        scaling: { targetRps: 2.5, targetLatencyP95Ms: 8000, stabilizationWindowSeconds: 0, idleSeconds: 10 },
        engine: {
          maxModelLen: 131_072,
          maxNumSeqs: 1024,
          gpuMemoryUtilizationPercent: 95,
          dtype: 'bfloat16',
          quantization: 'compressed-tensors',
          toolCallParser: 'llama3_json',
          reasoningParser: 'deepseek_r1',
        },
        startupTimeoutSeconds: 7200,
        drainTimeoutSeconds: 0,
        holdTimeoutSeconds: 300,
        adapters: [
          { name: 'sql', id: 'org/lora-sql', revision: 'v1.0' },
          { name: 'python', id: 'org/lora-python' },
        ],
        aliases: ['llama', 'Llama-3.1_8B'],
        allowKeysFrom: ['team-b', 'team-c'],
        podLabels: { 'cost-center': '42', 'Team_a.b': '' },
        restartedAt: '2026-11-22T10:00:00+01:00',
        suspend: true,
      },
    ],
    ['a claim at the root of its volume', { model: { claim: { name: 'weights' } } }],
    [
      'adapters in a claim',
      {
        model: { claim: { name: 'weights', path: 'llama' } },
        adapters: [
          { name: 'sql', path: 'loras/sql' },
          { name: 'root', path: 'v1.0' },
        ],
      },
    ],
    ['a claim with dots in its path', { model: { claim: { name: 'weights', path: 'a/b.c/..d/v1.0' } } }],
  ])('with %s is accepted', async (_, spec) => {
    expect(await refused(manifest('InferenceDeployment', spec))).toBe('');
  });
});

test('a key for a deployment of another namespace is accepted', async () => {
  const spec = { ...valid['APIKey'], deployments: ['llama-8b', 'team-b/mistral'] };
  expect(await refused(manifest('APIKey', spec))).toBe('');
});

/** Changes the spec of the batch `changed`; returns the refusal. */
async function changeBatch(spec: object): Promise<string> {
  const patch = ['--type=merge', '-p', JSON.stringify({ spec })];
  const answer = await playground.refusal(['patch', 'inferencebatch/changed', ...patch]);
  answers += answer;
  return answer;
}

describe('a batch', () => {
  test('can be cancelled, which is the only change, and the last', async () => {
    await playground.kubectl(['create', '-f', '-'], manifest('InferenceBatch', valid['InferenceBatch'], 'changed'));
    for (const spec of [
      { inputFileId: `file-${'1'.repeat(32)}` },
      { endpoint: '/v1/embeddings' },
      { apiKey: 'admin' },
      { outputExpiresAfterSeconds: 3600 },
    ]) {
      expect(await changeBatch(spec)).toContain("a batch can't be changed, only be cancelled");
    }
    expect(await changeBatch({ cancel: true })).toBe('');
    expect(await changeBatch({ cancel: false })).toContain('a batch that was cancelled stays cancelled');
    await playground.kubectl(['delete', 'inferencebatch/changed']);
  });
});

describe('a profile', () => {
  test.each([
    ['with a digest', { image: `vllm/vllm-openai@sha256:${'a'.repeat(64)}` }],
    ['with tag latest and a digest', { image: `localhost:5000/a_b/c__d:latest@sha256:${'a'.repeat(64)}` }],
    ['of a local image', { image: 'localhost/vllm-sim:dev' }],
    ['with cores in thousandths', { resources: { requests: { cpu: '500m', memory: '1e9' } } }],
    ['that tolerates everything', { tolerations: [{ operator: 'Exists' }] }],
    [
      'with arguments of vLLM',
      {
        args: [
          '--enforce-eager',
          '--reasoning-parser=qwen3',
          '--model-impl=vllm',
          '--logits-processor-pattern=.*',
          '--speculative-config={"method":"ngram","num_speculative_tokens":3}',
          '--no-enable-prefix-caching',
          '--compilation-config.mode=3',
          '--config-format=hf',
          '--chat-template-content-format=openai',
        ],
      },
    ],
    ['for a part of a GPU', { accelerator: { resource: 'nvidia.com/mig-3g.40gb', count: 1, memoryGiB: 40 } }],
  ])('%s is accepted', async (_, spec) => {
    expect(await refused(manifest('HardwareProfile', { ...valid['HardwareProfile'], ...spec }))).toBe('');
  });
});

/** Returns the path of a field as the API playground prints it, as a regular expression. */
const printed = (path: string): string => path.replaceAll('.', '[.]').replaceAll('[]', String.raw`\[\d+\]`);

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

/** Returns every rule of a kind: where it stands, and what an answer that comes from it looks like. */
function rulesOf({ kind, schema }: Definition): { where: string; pattern: RegExp }[] {
  return [{ path: '', schema }, ...fieldsOf(schema)].flatMap(({ path, schema: field }) =>
    (field['x-kubernetes-validations'] ?? []).map(({ message = '', fieldPath = '' }) => {
      const subject = path === '' ? '<nil>' : printed(path + fieldPath);
      return {
        where: `${kind} ${path}${fieldPath}: ${message}`,
        pattern: new RegExp(`${subject}: (Invalid value: .*|Forbidden): ${escaped(message)}`),
      };
    }),
  );
}

test('every rule of crds/ was seen to refuse', () => {
  const all = definitions.flatMap(rulesOf);
  expect(all.length).toBeGreaterThan(70);
  expect(all.filter(({ pattern }) => !pattern.test(answers)).map(({ where }) => where)).toEqual([]);
});
