import { expect, test } from '@jest/globals';
import { readPodIdentity } from './pod-identity.ts';

const POD = {
  INFER_NAMESPACE: 'infer-system',
  INFER_SERVICE_ACCOUNT: 'infer-gateway',
  INFER_POD_NAME: 'infer-gateway-1',
  INFER_POD_UID: 'uid-1',
  INFER_POD_IP: '10.0.0.1',
};

test('is what the downward API says', () => {
  expect(readPodIdentity(POD)).toEqual({
    namespace: 'infer-system',
    serviceAccount: 'infer-gateway',
    name: 'infer-gateway-1',
    uid: 'uid-1',
    ip: '10.0.0.1',
  });
});

test('is none outside of a pod', () => {
  expect(readPodIdentity({ ...POD, INFER_POD_UID: undefined })).toBeUndefined();
});

test('half of one is refused by the name of what is missing', () => {
  expect(() => readPodIdentity({ ...POD, INFER_POD_IP: '' })).toThrow('Set INFER_POD_IP from the pod');
});
