import { describe, expect, test } from '@jest/globals';
import { assertNodeVersion } from './node-version.ts';

describe('assertNodeVersion', () => {
  test('the Node that runs these tests is the pinned one', () => {
    expect(() => assertNodeVersion(process.version)).not.toThrow();
  });

  test.each(['v20.20.2', 'v25.9.0', 'nonsense'])('%s is refused with a sentence that says what to do', (version) => {
    expect(() => assertNodeVersion(version)).toThrow(/Run it through make/);
  });
});
