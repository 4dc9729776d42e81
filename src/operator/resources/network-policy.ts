import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { GATEWAY_POD_LABELS } from '../../api/labels.ts';
import { ENGINE_PORT } from './engine.ts';
import { childMetadata, ownLabels } from './metadata.ts';
import type { NetworkPolicy } from '../../api/kubernetes.ts';

/**
 * Returns the policy of a deployment's pods, replicas and Jobs: only gateways reach the engine (its own API key would
 * guard only a part of its routes), and the pods reach nothing but DNS and the ports of the hub and its proxy, and not
 * even those when the model comes from a claim.
 */
export function buildNetworkPolicy(
  resource: InferenceDeployment,
  install: { namespace: string; hubEndpoint: string; httpsProxy?: string | undefined },
): NetworkPolicy {
  const downloads = resource.spec.model.id !== undefined;
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: childMetadata(resource),
    spec: {
      podSelector: { matchLabels: ownLabels(resource) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': install.namespace } },
              podSelector: { matchLabels: GATEWAY_POD_LABELS },
            },
          ],
          ports: [{ port: ENGINE_PORT, protocol: 'TCP' }],
        },
      ],
      egress: downloads
        ? [
            {
              ports: [
                { port: 53, protocol: 'UDP' },
                { port: 53, protocol: 'TCP' },
              ],
            },
            {
              to: ANYWHERE_BUT_METADATA,
              ports: hubPorts(install).map((port) => ({ port, protocol: 'TCP' })),
            },
          ]
        : [],
    },
  };
}

/** The hub's addresses are not known here; a cloud's metadata service, which gives out credentials, is never one. */
const ANYWHERE_BUT_METADATA = [
  { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } },
  { ipBlock: { cidr: '::/0', except: ['fe80::/10', 'fd00:ec2::254/128'] } },
];

/** A hub answers large files with a redirect to a CDN, which is served on 443 whatever the hub's own port. */
function hubPorts({ hubEndpoint, httpsProxy }: { hubEndpoint: string; httpsProxy?: string | undefined }): number[] {
  const proxy = httpsProxy === undefined ? [] : [portOf(httpsProxy)];
  return [...new Set([portOf(hubEndpoint), ...proxy, 443])];
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url);
  return port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port);
}
