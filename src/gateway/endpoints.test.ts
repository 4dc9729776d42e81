import { describe, expect, test } from '@jest/globals';
import type { Endpoint, EndpointSlice } from '../api/kubernetes.ts';
import { replicaAddresses } from './endpoints.ts';

function pod(uid: string, address = '10.0.0.1', conditions: Endpoint['conditions'] = { ready: true }): Endpoint {
  return { addresses: [address], conditions: { ...conditions }, targetRef: { kind: 'Pod', uid } };
}

function slice(endpoints: Endpoint[], parts: Partial<EndpointSlice> = {}, resourceVersion = '1'): EndpointSlice {
  return {
    metadata: { name: 's', resourceVersion },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8000 }],
    endpoints,
    ...parts,
  };
}

describe('replicaAddresses', () => {
  test('finds the pods of all slices, each with the port of its slice', () => {
    const found = replicaAddresses([
      slice([pod('a'), pod('b', '10.0.0.2')]),
      slice([pod('c', '10.0.0.3')], {
        ports: [
          { name: 'metrics', port: 1 },
          { name: 'http', port: 9000 },
        ],
      }),
    ]);
    expect(Object.fromEntries(found)).toEqual({
      a: { origins: ['http://10.0.0.1:8000'], serving: true },
      b: { origins: ['http://10.0.0.2:8000'], serving: true },
      c: { origins: ['http://10.0.0.3:9000'], serving: true },
    });
  });

  test.each<[string, Endpoint['conditions'], boolean]>([
    ['ready', { ready: true, terminating: false }, true],
    ['not ready', { ready: false }, false],
    ['ready and terminating', { ready: true, terminating: true }, false],
    ['of unknown readiness', { ready: null, terminating: null }, true],
  ])('one that is %s', (_, conditions, serving) => {
    expect(replicaAddresses([slice([pod('a', '10.0.0.1', conditions)])]).get('a')?.serving).toBe(serving);
  });

  test('believes the newest slice about a pod that is in two', () => {
    const newer = slice([pod('a', '10.0.0.1', { ready: false, terminating: true })], {}, '10');
    const older = slice([pod('a')], {}, '9');
    for (const slices of [
      [newer, older],
      [older, newer],
    ]) {
      expect(replicaAddresses(slices).get('a')?.serving).toBe(false);
    }
  });

  test('writes addresses of IPv6 in brackets', () => {
    expect(replicaAddresses([slice([pod('a', 'fd00::7')], { addressType: 'IPv6' })]).get('a')?.origins).toEqual([
      'http://[fd00::7]:8000',
    ]);
  });

  test.each<[string, EndpointSlice]>([
    ['names instead of addresses', slice([pod('a', 'metadata.internal')], { addressType: 'FQDN' })],
    ['no port of the engine', slice([pod('a')], { ports: [{ name: 'metrics', port: 8000 }] })],
    ['all ports', slice([pod('a')], { ports: [{ name: 'http', port: null }] })],
    ['no port', slice([pod('a')], { ports: null })],
    ['no endpoint', slice([], { endpoints: null })],
    ['an endpoint that is no pod', slice([{ addresses: ['10.0.0.1'] }])],
    ['an endpoint that is a node', slice([{ addresses: ['10.0.0.1'], targetRef: { kind: 'Node', uid: 'a' } }])],
    ['an endpoint without address', slice([{ ...pod('a'), addresses: [] }])],
  ])('leaves out %s', (_, given) => {
    expect(replicaAddresses([given]).size).toBe(0);
  });
});
