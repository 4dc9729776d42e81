import { assert, nat, property, string } from 'fast-check';
import { describe, expect, test } from '@jest/globals';
import { deploymentId } from './deployment-id.ts';

describe('deploymentId', () => {
  test.each([
    ['meta-llama/Llama-3.1-8B-Instruct', 'llama-3-1-8b-instruct'],
    ['Qwen/Qwen2.5_Coder', 'qwen2-5-coder'],
    ['org/7b-chat', 'm-7b-chat'],
    ['models/llama/', 'llama'],
    ['org/модель', 'model'],
    ['', 'model'],
    ['org/a-very-long-name-of-a-model-that-does-not-end-soon', 'a-very-long-name-of-a-model-that-does'],
  ])('%s becomes %s', (model, id) => {
    expect(deploymentId(model, new Set())).toBe(id);
  });

  test('takes the first number that is free', () => {
    expect(deploymentId('org/llama', new Set(['llama', 'llama-2']))).toBe('llama-3');
  });

  test('always fits the CRD and is none that is taken', () => {
    assert(
      property(string({ maxLength: 200 }), nat(12), (model, count) => {
        const taken = new Set<string>();
        for (let index = 0; index < count; index++) taken.add(deploymentId(model, taken));
        const id = deploymentId(model, taken);
        expect(id).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
        expect(id.length).toBeLessThanOrEqual(40);
        expect(taken.has(id)).toBe(false);
      }),
    );
  });
});
