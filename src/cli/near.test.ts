import { expect, test } from '@jest/globals';
import { nearNames } from './near.ts';

test.each([
  ['chatt', ['chat', 'other'], ['chat']],
  ['llama', ['llama-3-1-8b-instruct', 'qwen'], ['llama-3-1-8b-instruct']],
  ['lama-8b', ['llama-9b', 'llama-8b', 'mistral'], ['llama-8b', 'llama-9b']],
  ['lama', ['llama-3-1-8b-instruct', 'qwen'], ['llama-3-1-8b-instruct']],
  ['x', ['something'], []],
  ['anything', [], []],
])('%s may be meant as %j', (wanted, names, near) => {
  expect(nearNames(wanted, names)).toEqual(near);
});
