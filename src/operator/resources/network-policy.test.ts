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
    ['https://huggingface.co', [443]],
    ['https://mirror.example:8443', [8443, 443]],
    ['http://hub-sim.infer-system.svc', [80, 443]],
  ])('a download from %s may reach ports %j and DNS', (hubEndpoint, ports) => {
    const { egress } = buildNetworkPolicy(inferenceDeployment(), { ...INSTALL, hubEndpoint }).spec;
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
