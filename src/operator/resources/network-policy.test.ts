import { describe, expect, test } from '@jest/globals';
import { inferenceDeployment, INSTALL } from '../../../test/support/resources.ts';
import { buildNetworkPolicy } from './network-policy.ts';

describe('buildNetworkPolicy', () => {
  test('only gateways of the install reach the engine', () => {
    expect(buildNetworkPolicy(inferenceDeployment(), INSTALL).spec.ingress).toEqual([
      {
        from: [
          {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'infer-system' } },
            podSelector: {
              matchLabels: { 'app.kubernetes.io/name': 'infer', 'app.kubernetes.io/component': 'gateway' },
            },
          },
        ],
        ports: [{ port: 8000, protocol: 'TCP' }],
      },
    ]);
  });

  test.each([
    ['https://huggingface.co', undefined, [443]],
    ['https://mirror.example:8443', undefined, [8443, 443]],
    ['http://hub-sim.infer-system.svc', undefined, [80, 443]],
    ['https://huggingface.co', 'http://proxy.example:3128', [443, 3128]],
    ['https://huggingface.co', 'http://proxy.example', [443, 80]],
  ])('a download from %s by proxy %s may reach ports %j and DNS', (hubEndpoint, httpsProxy, ports) => {
    const { egress } = buildNetworkPolicy(inferenceDeployment(), { ...INSTALL, hubEndpoint, httpsProxy }).spec;
    expect(egress.map((rule) => rule.ports.map(({ port }) => port))).toEqual([[53, 53], ports]);
  });

  test('a replica whose model is in a claim reaches nothing', () => {
    const resource = inferenceDeployment({ model: { claim: { name: 'weights' } } });
    expect(buildNetworkPolicy(resource, INSTALL).spec).toMatchObject({
      policyTypes: ['Ingress', 'Egress'],
      egress: [],
    });
  });
});
