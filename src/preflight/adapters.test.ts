import { describe, expect, test } from '@jest/globals';
import { parseAdapters } from './adapters.ts';

describe('the list of adapters', () => {
  test('is read as the operator writes it', () => {
    const adapters = [{ id: 'org/lora', revision: 'main', directory: '/model/.infer/adapters/sql' }];
    expect(parseAdapters(JSON.stringify(adapters))).toEqual(adapters);
  });

  test.each([undefined, '', '[]'])('%j holds none', (text) => {
    expect(parseAdapters(text)).toEqual([]);
  });

  test.each([
    '{',
    '{}',
    '[1]',
    '[null]',
    '[{"id":"org/lora","revision":"main"}]',
    '[{"id":"","revision":"m","directory":"/d"}]',
  ])('%j is refused', (text) => {
    expect(() => parseAdapters(text)).toThrow(expect.objectContaining({ reason: 'InvalidSettings' }));
  });
});
