/** The catalogue that Infer ships: each model names a shipped profile, and fits it with the settings that it recommends. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import type { CatalogModel } from '../../src/api/generated/catalog-model.ts';
import type { HardwareProfile } from '../../src/api/generated/hardware-profile.ts';
import { fitProblem, type ModelSize } from '../../src/operator/preflight/fit.ts';

const MANIFESTS = resolve(import.meta.dirname, '../../manifests');
const DIRECTORY = join(MANIFESTS, 'catalog');

/** Bytes of the published weights, rounded up, and where the KV cache can be told from the configuration, that. */
const SIZES: Readonly<Record<string, ModelSize>> = {
  'meta-llama/Llama-3.1-8B-Instruct': { weightBytes: 16.1e9, attention: { layers: 32, kvHeads: 8, headDim: 128 } },
  'meta-llama/Llama-3.1-70B-Instruct': { weightBytes: 141.2e9, attention: { layers: 80, kvHeads: 8, headDim: 128 } },
  'meta-llama/Llama-3.2-3B-Instruct': { weightBytes: 6.5e9, attention: { layers: 28, kvHeads: 8, headDim: 128 } },
  'meta-llama/Llama-3.3-70B-Instruct': { weightBytes: 141.2e9, attention: { layers: 80, kvHeads: 8, headDim: 128 } },
  'Qwen/Qwen2.5-7B-Instruct': { weightBytes: 15.3e9, attention: { layers: 28, kvHeads: 4, headDim: 128 } },
  'Qwen/Qwen3-8B': { weightBytes: 16.4e9, attention: { layers: 36, kvHeads: 8, headDim: 128 } },
  'Qwen/Qwen3-32B': { weightBytes: 65.6e9, attention: { layers: 64, kvHeads: 8, headDim: 128 } },
  'google/gemma-2-9b-it': { weightBytes: 18.5e9 },
  'google/gemma-3-12b-it': { weightBytes: 24.4e9 },
  'microsoft/phi-4': { weightBytes: 29.4e9, attention: { layers: 40, kvHeads: 10, headDim: 128 } },
  'openai/gpt-oss-20b': { weightBytes: 13.8e9, quantization: 'mxfp4' },
  'deepseek-ai/DeepSeek-R1-Distill-Qwen-14B': {
    weightBytes: 29.6e9,
    attention: { layers: 48, kvHeads: 8, headDim: 128 },
  },
  'intfloat/multilingual-e5-large-instruct': { weightBytes: 1.2e9 },
};

const files = readdirSync(DIRECTORY).filter((name) => name !== 'kustomization.yaml');
const catalogue = files.map((name): [string, CatalogModel] => [
  name,
  parse(readFileSync(join(DIRECTORY, name), 'utf8')) as CatalogModel,
]);

const profiles = readdirSync(join(MANIFESTS, 'profiles'))
  .flatMap((name) => parseAllDocuments(readFileSync(join(MANIFESTS, 'profiles', name), 'utf8')))
  .map((document) => document.toJS() as HardwareProfile)
  .filter(({ kind }) => kind === 'HardwareProfile');

test('holds each model once, and its kustomization all of them', () => {
  const { resources } = parse(readFileSync(join(DIRECTORY, 'kustomization.yaml'), 'utf8')) as { resources: string[] };
  expect(resources.toSorted()).toEqual(files.toSorted());
  const ids = catalogue.map(([, { spec }]) => spec.modelId);
  expect(ids.toSorted()).toEqual(Object.keys(SIZES).toSorted());
});

test.each(catalogue)('%s is on a shipped profile that it fits', (file, { metadata, spec }) => {
  expect(file).toBe(`${metadata.name}.yaml`);
  const profile = profiles.find(({ metadata: { name } }) => name === spec.hardwareProfile);
  if (profile === undefined) throw new Error(`there is no profile ${spec.hardwareProfile ?? ''}`);
  expect(spec).toMatchObject({ description: expect.any(String), license: expect.any(String) });
  const contextLength = spec.contextLength ?? 0;
  const maxModelLen = spec.engine?.maxModelLen ?? contextLength;
  expect(maxModelLen).toBeGreaterThan(0);
  expect(maxModelLen).toBeLessThanOrEqual(contextLength);
  const model: ModelSize = { ...SIZES[spec.modelId], contextLength, dtype: 'bfloat16' };
  const fit = { profileName: profile.metadata.name, profile: profile.spec, engine: spec.engine ?? {}, model };
  expect(fitProblem(fit)).toBeUndefined();
});
