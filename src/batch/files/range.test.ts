import { describe, expect, test } from '@jest/globals';
import { requestedRange } from './range.ts';

describe('of 10 bytes', () => {
  test.each([
    ['bytes=0-0', { from: 0, to: 0 }],
    ['bytes=2-5', { from: 2, to: 5 }],
    ['bytes=2-', { from: 2, to: 9 }],
    ['bytes=2-99', { from: 2, to: 9 }],
    ['bytes=-3', { from: 7, to: 9 }],
    ['bytes=-99', { from: 0, to: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=5-2', undefined],
    ['bytes=0-1,3-4', undefined],
    ['bytes=-', undefined],
    ['lines=1-2', undefined],
    [undefined, undefined],
  ])('%j asks for %j', (header, range) => {
    expect(requestedRange(header, 10)).toEqual(range);
  });

  test('an empty file has none', () => {
    expect(requestedRange('bytes=0-', 0)).toBe('unsatisfiable');
  });
});
