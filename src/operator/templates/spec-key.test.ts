import { describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import type { InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import { fieldsOf, readDefinitions, type Schema } from '../../api/schema.ts';
import { specKey } from './spec-key.ts';

const definitions = await readDefinitions(join(import.meta.dirname, '../../../crds'));
const schema = definitions.find(({ kind }) => kind === 'InferenceDeployment')?.schema.properties?.['spec'] as Schema;

const model = { id: 'org/model', tokenSecretRef: { name: 'hf' } };
const plain: InferenceDeploymentSpec = { model };

/** Returns a copy of `plain` with one more field. */
function withField(path: string, value: unknown): InferenceDeploymentSpec {
  const copy = structuredClone(plain) as unknown as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop() ?? '';
  let parent = copy;
  for (const name of names) parent = (parent[name] ??= {}) as Record<string, unknown>;
  parent[last] = value;
  return copy as unknown as InferenceDeploymentSpec;
}

describe('specKey', () => {
  test.each([
    ['model.id', 'org/other'],
    ['model.revision', 'v2'],
    ['model.tokenSecretRef', { name: 'other' }],
    ['model.tokenSecretRef.key', 'hf'],
    ['hardwareProfile', 'gpu.h100'],
    ['engine', { maxModelLen: 4096 }],
    ['adapters', [{ name: 'sql', id: 'org/sql' }]],
    ['startupTimeoutSeconds', 60],
    ['drainTimeoutSeconds', 0],
    ['podLabels', { team: 'x' }],
    ['restartedAt', '2026-01-01T00:00:00Z'],
  ])('%s shapes the pods', (path, value) => {
    expect(specKey(withField(path, value))).not.toBe(specKey(plain));
  });

  test.each([
    ['minReplicas', 3],
    ['maxReplicas', 5],
    ['scaling', { targetRps: 2 }],
    ['aliases', ['llama']],
    ['allowKeysFrom', ['team-b']],
    ['holdTimeoutSeconds', 20],
    ['suspend', true],
  ])('%s does not', (path, value) => {
    expect(specKey(withField(path, value))).toBe(specKey(plain));
  });

  test('every field of the API is one or the other', () => {
    const shaping = ['model', 'hardwareProfile', 'engine', 'adapters', 'podLabels', 'restartedAt'];
    const timeouts = ['startupTimeoutSeconds', 'drainTimeoutSeconds'];
    const others = [
      'minReplicas',
      'maxReplicas',
      'scaling',
      'aliases',
      'allowKeysFrom',
      'holdTimeoutSeconds',
      'suspend',
    ];
    expect([...shaping, ...timeouts, ...others].toSorted()).toEqual(Object.keys(schema.properties ?? {}).toSorted());
  });

  const defaulted = [...fieldsOf(schema)].filter((field) => field.schema.default !== undefined);
  test.each(defaulted.map(({ path, schema: { default: value } }) => [path, value]))(
    'the default of %s, which admission writes into a resource, changes no key',
    (path, value) => {
      expect(specKey(withField(path as string, value))).toBe(specKey(plain));
    },
  );

  test.each([
    ['the default branch, written out', withField('model.revision', 'main')],
    ['an empty object', withField('engine', {})],
    ['another order of fields', { suspend: false, model: { tokenSecretRef: { name: 'hf' }, id: 'org/model' } }],
  ])('%s asks for nothing new', (_sentence, spec) => {
    expect(specKey(spec)).toBe(specKey(plain));
  });

  // A key that changes from one Infer to the next rolls every deployment. Never change these to make the test pass.
  test.each<[string, InferenceDeploymentSpec]>([
    ['6740ef6a25', { model: { id: 'org/model' } }],
    [
      '6740ef6a25',
      {
        model: { id: 'org/model' },
        hardwareProfile: 'gpu.a100',
        minReplicas: 1,
        startupTimeoutSeconds: 3600,
        drainTimeoutSeconds: 120,
        holdTimeoutSeconds: 50,
        suspend: false,
      },
    ],
    [
      'b984f44fb1',
      {
        model: { id: 'org/model', revision: 'v1' },
        hardwareProfile: 'gpu.h100',
        engine: { maxModelLen: 8192, dtype: 'auto' },
        podLabels: { team: 'x' },
      },
    ],
  ])('the key %s is that of the first Infer that froze templates', (key, spec) => {
    expect(specKey(spec)).toBe(key);
  });
});
