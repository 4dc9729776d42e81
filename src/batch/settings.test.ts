import { expect, test } from '@jest/globals';
import { readSettings } from './settings.ts';

const FOLDER = { INFER_STORE_FOLDER: '/data' };

const POD = {
  INFER_NAMESPACE: 'infer-system',
  INFER_SERVICE_ACCOUNT: 'infer-batch',
  INFER_POD_NAME: 'infer-batch-1',
  INFER_POD_UID: 'uid-1',
  INFER_POD_IP: '10.0.0.1',
};

test('in a pod it runs batches through the gateways', () => {
  const settings = readSettings({ ...FOLDER, ...POD, INFER_GATEWAY_ADDRESS: 'gateways.infer-system.svc:8445' });
  expect(settings.pod?.uid).toBe('uid-1');
  expect(settings.gatewayAddress).toEqual({ host: 'gateways.infer-system.svc', port: 8445 });
});

test('a folder is all that must be said', () => {
  expect(readSettings(FOLDER)).toEqual({
    watchNamespace: undefined,
    store: { kind: 'folder', folder: '/data' },
    apiPort: 8444,
    port: 8080,
    pod: undefined,
    gatewayAddress: undefined,
    maxNamespaceBytes: 100 * 1024 ** 3,
    relistIntervalMs: 600_000,
    sweepIntervalMs: 3_600_000,
    leaveMs: 5_000,
    drainMs: 50_000,
    logLevel: 'info',
  });
});

test.each<[Record<string, string>, string]>([
  [{}, 'INFER_STORE_FOLDER'],
  [{ ...FOLDER, INFER_GATEWAY_ADDRESS: 'gateways:8445' }, 'INFER_POD_UID'],
  [{ ...FOLDER, ...POD }, 'INFER_GATEWAY_ADDRESS'],
  [{ ...FOLDER, ...POD, INFER_GATEWAY_ADDRESS: 'gateways' }, 'INFER_GATEWAY_ADDRESS'],
  [{ ...FOLDER, INFER_BATCH_PORT: '70000' }, 'INFER_BATCH_PORT'],
  [{ ...FOLDER, INFER_SWEEP_SECONDS: '0.5' }, 'INFER_SWEEP_SECONDS'],
  [{ ...FOLDER, INFER_LEAVE_SECONDS: '-1' }, 'INFER_LEAVE_SECONDS'],
  [{ ...FOLDER, INFER_DRAIN_SECONDS: '-1' }, 'INFER_DRAIN_SECONDS'],
])('%j is refused by the name of %s', (environment, name) => {
  expect(() => readSettings(environment)).toThrow(name);
});
