import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fieldsOf } from '../../src/api/schema.ts';
import { eventually } from '../support/eventually.ts';
import { definitions, manifest, root, specSchema, createPlayground, valid } from './admission/manifests.ts';
import type { Playground } from './admission/manifests.ts';

let playground: Playground;

beforeAll(async () => {
  playground = await createPlayground();
}, 60_000);
afterAll(async () => await playground.remove());

interface Stored {
  metadata: { name: string; namespace: string };
  spec: Record<string, unknown>;
}

/** Keeps a manifest and returns it as it is stored. */
async function stored(text: string): Promise<Stored> {
  const created = await playground.kubectl(['create', '-o', 'json', '-f', '-'], text);
  return JSON.parse(created) as Stored;
}

describe('the kinds', () => {
  test('are established with a structural schema', async () => {
    const list = JSON.parse(await playground.kubectl(['get', 'crd', '-o', 'json'])) as {
      items: { metadata: { name: string }; status: { conditions: { type: string; status: string }[] } }[];
    };
    expect(
      list.items.map(({ metadata, status }) => [
        metadata.name,
        status.conditions.filter((condition) => condition.status === 'True').map(({ type }) => type),
      ]),
    ).toEqual(
      ['apikeys', 'catalogmodels', 'hardwareprofiles', 'inferencebatches', 'inferencedeployments'].map((plural) => [
        `${plural}.infer.dev`,
        ['NamesAccepted', 'Established'],
      ]),
    );
  });

  test('explain every field', async () => {
    for (const { plural, schema } of definitions) {
      // The API server publishes the schema of a new kind some seconds after it serves it.
      const tree = await eventually(async () => await playground.kubectl(['explain', '--recursive', plural]), 60_000);
      for (const { name } of fieldsOf(schema)) expect(tree).toContain(name);
    }
    const scaling = await playground.kubectl(['explain', 'infer.spec.scaling']);
    expect(scaling).toContain('targetRps is how many requests per second one replica is expected to serve');
    expect(scaling).toContain('targetLatencyP95Ms is the end-to-end latency');
  }, 120_000);
});

describe('defaults', () => {
  test('of a deployment are written into the resource', async () => {
    const { spec } = await stored(manifest('InferenceDeployment', valid['InferenceDeployment'], 'defaults'));
    expect(spec).toEqual({
      model: { id: 'org/name' },
      hardwareProfile: 'gpu.a100',
      minReplicas: 1,
      holdTimeoutSeconds: 50,
      startupTimeoutSeconds: 3600,
      drainTimeoutSeconds: 120,
      suspend: false,
    });
  });

  test('of a token are those of its Secret', async () => {
    const model = { id: 'org/name', tokenSecretRef: { name: 'hf-token' } };
    const { spec } = await stored(manifest('InferenceDeployment', { model }, 'token'));
    expect(spec['model']).toEqual({ id: 'org/name', tokenSecretRef: { name: 'hf-token', key: 'token' } });
  });

  test('of a profile make it CPU only until it names an accelerator', async () => {
    const cpu = await stored(manifest('HardwareProfile', valid['HardwareProfile'], 'cpu.defaults'));
    expect(cpu.spec).toEqual({ ...valid['HardwareProfile'], sharedMemory: '2Gi' });
    const parts = { accelerator: { memoryGiB: 80 }, modelCache: {}, topologySpread: {} };
    const gpu = await stored(manifest('HardwareProfile', { ...valid['HardwareProfile'], ...parts }, 'gpu.defaults'));
    expect(gpu.spec).toMatchObject({
      accelerator: { resource: 'nvidia.com/gpu', count: 1, memoryGiB: 80 },
      modelCache: { type: 'EmptyDir' },
      topologySpread: { topologyKey: 'kubernetes.io/hostname', maxSkew: 1 },
    });
  });

  test('take the place of null in every optional field', async () => {
    for (const { kind } of definitions) {
      const required = Object.keys(valid[kind] ?? {});
      const nulls = Object.keys(specSchema(kind).properties ?? {}).filter((name) => !required.includes(name));
      const spec = { ...Object.fromEntries(nulls.map((name) => [name, null])), ...valid[kind] };
      const withNulls = await stored(manifest(kind, spec, 'with-nulls'));
      const without = await stored(manifest(kind, valid[kind], 'without-nulls'));
      expect(withNulls.spec).toEqual(without.spec);
    }
  });
});

describe('what the project ships', () => {
  /** Returns what the API server would store of these manifests; another test may have stored its own. */
  const apply = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-o', 'json'];
  const tried = async (...args: string[]): Promise<Stored[]> => {
    const json = await playground.kubectl([...apply, ...args]);
    const result = JSON.parse(json) as Stored & { items?: Stored[] };
    return result.items ?? [result];
  };

  test('the profiles are accepted, and stand in the namespace of Infer', async () => {
    const profiles = await tried('-n', 'infer-system', '-k', join(root, 'manifests/profiles'));
    const sizes = profiles.map(({ metadata, spec }) => {
      const count = (spec['accelerator'] as { count: number } | undefined)?.count ?? 0;
      return `${metadata.namespace}/${metadata.name}: ${count}`;
    });
    const gpus = ['gpu.a100', 'gpu.h100'].flatMap((name) => [
      `${name}: 1`,
      ...[2, 4, 8].map((count) => `${name}.${count}: ${count}`),
    ]);
    expect(sizes.sort()).toEqual(['cpu: 0', ...gpus].map((size) => `infer-system/${size}`).sort());
  });

  test('the catalogue is accepted, and stands in the namespace of Infer', async () => {
    const models = await tried('-n', 'infer-system', '-k', join(root, 'manifests/catalog'));
    expect(models.length).toBeGreaterThanOrEqual(12);
    for (const { metadata } of models) expect(metadata.namespace).toBe('infer-system');
  });

  test('the examples are accepted, and name a shipped profile', async () => {
    const files = (await readdir(join(root, 'examples'))).filter((file) => file.endsWith('.yaml'));
    const kinds: string[] = [];
    for (const file of files) {
      const text = await readFile(join(root, 'examples', file), 'utf8');
      const { kind, metadata } = parse(text) as { kind: string; metadata: { namespace: string } };
      const [example] = await tried('-n', metadata.namespace, '-f', join(root, 'examples', file));
      if (kind === 'InferenceDeployment') expect(example?.spec['hardwareProfile']).toBe('gpu.a100');
      kinds.push(kind);
    }
    expect(kinds.sort()).toEqual([
      'HardwareProfile',
      'InferenceBatch',
      'InferenceDeployment',
      'InferenceDeployment',
      'InferenceDeployment',
      'InferenceDeployment',
    ]);
  });
});

/** Returns the cells of a table that kubectl printed; only rows without an empty cell before the last one line up. */
function columns(text: string): string[][] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
}

describe('kubectl get', () => {
  test('shows the state of deployments', async () => {
    const apply = async (name: string, spec: object): Promise<void> => {
      const input = manifest('InferenceDeployment', spec, name);
      await playground.kubectl(['apply', '-f', '-'], input);
    };
    await apply('from-claim', { model: { claim: { name: 'weights', path: 'llama' } }, hardwareProfile: 'cpu' });
    await apply('serving', {
      model: { id: 'org/name', tokenSecretRef: { name: 'hf' } },
      minReplicas: 2,
      maxReplicas: 2,
    });
    const condition = { status: 'True', message: 'Two replicas serve.', lastTransitionTime: '2026-11-22T10:00:00Z' };
    const status = {
      conditions: [
        { ...condition, type: 'Accepted', reason: 'Valid' },
        { ...condition, type: 'Ready', reason: 'Serving' },
      ],
      replicas: { ready: 2, desired: 3 },
      scaling: { reason: 'AtMax', requestsPerSecond: '9.4', latencyP95Ms: 3200 },
      cost: { currency: 'USD', perHour: '3.68' },
      endpoint: { baseUrl: 'https://infer.example.com/v1', model: 'serving' },
    };
    const patch = ['patch', 'infer', 'serving', '--subresource=status', '--type=merge', '-p'];
    await playground.kubectl([...patch, JSON.stringify({ status })]);
    await playground.kubectl(['wait', '--for=condition=Ready', '--timeout=5s', 'infer/serving']);

    const narrow = await playground.kubectl(['get', 'infer', 'from-claim', 'serving']);
    expect(narrow.split('\n')[0]?.trim().split(/ +/)).toEqual(
      'NAME MODEL PROFILE READY DESIRED RPS P95(MS) SCALING STATUS AGE'.split(' '),
    );
    const [, fromClaim, serving] = columns(narrow);
    expect(fromClaim?.slice(0, 3)).toEqual(['from-claim', 'weights', 'cpu']);
    expect(serving?.slice(0, 9)).toEqual([
      'serving',
      'org/name',
      'gpu.a100',
      '2',
      '3',
      '9.4',
      '3200',
      'AtMax',
      'Serving',
    ]);
    expect(serving?.[9]).toMatch(/^\d+s$/);

    const wide = columns(await playground.kubectl(['get', 'infer', 'serving', '-o', 'wide']));
    expect(wide[0]?.slice(10)).toEqual(['MIN', 'MAX', 'COST/H', 'ENDPOINT']);
    expect(wide[1]?.slice(10)).toEqual(['2', '2', '3.68', 'https://infer.example.com/v1']);

    expect(await playground.kubectl(['get', 'all'])).toContain('inferencedeployment.infer.dev/serving');
  });

  test('shows profiles by product, or by resource without one', async () => {
    const accelerator = { memoryGiB: 80, count: 4 };
    const product = 'NVIDIA-A100-SXM4-80GB';
    const profile = valid['HardwareProfile'];
    await stored(manifest('HardwareProfile', { ...profile, accelerator }, 'by-resource'));
    await stored(manifest('HardwareProfile', { ...profile, accelerator: { ...accelerator, product } }, 'by-product'));
    const [titles, ...rows] = columns(await playground.kubectl(['get', 'hwp', 'by-product', 'by-resource']));
    expect(titles).toEqual(['NAME', 'ACCELERATOR', 'COUNT', 'MEMORY(GIB)', 'IMAGE', 'AGE']);
    expect(rows.map((row) => row.slice(0, 5))).toEqual([
      ['by-product', product, '4', '80', profile?.['image']],
      ['by-resource', 'nvidia.com/gpu', '4', '80', profile?.['image']],
    ]);
  });

  test('shows what a key may do', async () => {
    const input = manifest('APIKey', { ...valid['APIKey'], scopes: ['inference', 'view'] }, 'web');
    await playground.kubectl(['apply', '-f', '-'], input);
    expect(await playground.kubectl(['get', 'apikeys', 'web'])).toMatch(/web +7f3k9q2m +\["inference","view"\] +false/);
  });
});
