import { describe, expect, test } from '@jest/globals';
import { parseAdapterRequests, parseAdapters } from './adapters.ts';

describe('the list of adapters to look up', () => {
  test('is read as the operator writes it, with a revision or without', () => {
    const adapters = [
      { name: 'sql', id: 'org/lora', revision: 'v1' },
      { name: 'chat', id: 'org/chat' },
    ];
    expect(parseAdapterRequests(JSON.stringify(adapters))).toEqual(adapters);
    expect(parseAdapterRequests(undefined)).toEqual([]);
  });

  test.each(['{}', '[{"id":"org/lora"}]', '[{"name":"sql","id":1}]', '[{"name":"sql","id":"org/lora","revision":""}]'])(
    '%j is refused',
    (text) => {
      expect(() => parseAdapterRequests(text)).toThrow(expect.objectContaining({ reason: 'InvalidSettings' }));
    },
  );
});

describe('the list of adapters to download', () => {
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
