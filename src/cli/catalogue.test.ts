import { expect, test } from '@jest/globals';
import { resolveModel } from './catalogue.ts';

const llama = { metadata: { name: 'llama-8b' }, spec: { modelId: 'meta-llama/Llama-3.1-8B-Instruct', gated: true } };

test.each([
  ['llama-8b', { model: { id: 'meta-llama/Llama-3.1-8B-Instruct' }, entry: llama }],
  ['meta-llama/Llama-3.1-8B-Instruct', { model: { id: 'meta-llama/Llama-3.1-8B-Instruct' }, entry: llama }],
  ['org/other', { model: { id: 'org/other' }, entry: undefined }],
  ['claim:weights', { model: { claim: { name: 'weights' } }, entry: undefined }],
  ['claim:weights/models/a', { model: { claim: { name: 'weights', path: 'models/a' } }, entry: undefined }],
  ['llama-9b', undefined],
])('%s', (text, resolved) => {
  expect(resolveModel(text, [llama])).toEqual(resolved);
});
