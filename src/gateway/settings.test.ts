import { describe, expect, test } from '@jest/globals';
import { readSettings } from './settings.ts';

describe('readSettings', () => {
  test('has a default for everything', () => {
    expect(readSettings({})).toEqual({
      watchNamespace: undefined,
      apiPort: 8000,
      channelPort: 8443,
      internalPort: 8445,
      batchAddress: undefined,
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
    ['INFER_INTERNAL_PORT', '65536'],
  ])('%s=%s is refused', (name, value) => {
    expect(() => readSettings({ [name]: value })).toThrow(`Set ${name} to a whole number`);
  });

  const POD = {
    INFER_NAMESPACE: 'infer-system',
    INFER_SERVICE_ACCOUNT: 'infer-gateway',
    INFER_POD_NAME: 'infer-gateway-1',
    INFER_POD_UID: 'uid-1',
    INFER_POD_IP: '10.0.0.1',
  };

  test.each([
    ['infer-batch.infer-system.svc:8444', { host: 'infer-batch.infer-system.svc', port: 8444 }],
    ['[fd00::1]:1', { host: 'fd00::1', port: 1 }],
  ])('INFER_BATCH_ADDRESS=%s is an address', (value, address) => {
    expect(readSettings({ ...POD, INFER_BATCH_ADDRESS: value }).batchAddress).toEqual(address);
  });

  test.each(['infer-batch', 'http://infer-batch:8444', 'infer-batch:0', 'infer-batch:99999', ':8444'])(
    'INFER_BATCH_ADDRESS=%s is refused',
    (value) => {
      expect(() => readSettings({ ...POD, INFER_BATCH_ADDRESS: value })).toThrow('set it to a host and a port');
    },
  );

  test('INFER_BATCH_ADDRESS is nothing without the identity to show there', () => {
    expect(() => readSettings({ INFER_BATCH_ADDRESS: 'infer-batch:8444' })).toThrow('set INFER_POD_UID');
  });
});
