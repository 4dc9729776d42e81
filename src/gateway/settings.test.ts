import { describe, expect, test } from '@jest/globals';
import { readSettings } from './settings.ts';

describe('readSettings', () => {
  test('has a default for everything', () => {
    expect(readSettings({})).toEqual({
      watchNamespace: undefined,
      apiPort: 8000,
      channelPort: 8443,
      pod: undefined,
      port: 8080,
      relistIntervalMs: 600_000,
      leaveMs: 5_000,
      drainMs: 165_000,
      logLevel: 'info',
    });
  });

  test.each([
    ['INFER_API_PORT', '-1'],
    ['INFER_PORT', 'http'],
    ['INFER_LEAVE_SECONDS', '0.5'],
    ['INFER_DRAIN_SECONDS', 'long'],
    ['INFER_RELIST_SECONDS', '1'],
  ])('%s=%s is refused', (name, value) => {
    expect(() => readSettings({ [name]: value })).toThrow(`Set ${name} to a whole number`);
  });
});
