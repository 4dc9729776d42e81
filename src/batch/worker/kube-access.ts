/** Batches and claims at the API server. */
import { inferenceBatches } from '../../api/resources.ts';
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import type { KubeClient } from '../../kube/client.ts';
import { contentHash } from '../../kube/hash.ts';
import { LeaderElector, leases } from '../../kube/lease.ts';
import type { LeaseSpec } from '../../kube/lease.ts';
import type { Logger } from '../../kube/types.ts';
import type { BatchResources, Claims } from './access.ts';

/** Longer than that of a leader: nobody waits for a batch, and there may be many of them. */
const LEASE = { leaseDurationMs: 30_000, renewDeadlineMs: 20_000, retryPeriodMs: 5000 };

/** Renewed no more for so long, whatever the clocks of two nodes differ by. */
const ABANDONED_MS = 86_400_000;

const FIELD_MANAGER = 'infer-batch';

type Client = Pick<KubeClient, 'get' | 'create' | 'update' | 'delete' | 'writesUntil'>;

/** Returns the InferenceBatches that the client reads and writes; `noteWrite` is called with what the server stored. */
export function batchResources(
  client: Pick<KubeClient, 'get' | 'update' | 'delete'>,
  noteWrite: (batch: InferenceBatch) => void,
): BatchResources {
  const write = async (batch: InferenceBatch, subresource?: 'status'): Promise<InferenceBatch> => {
    // Without one the write would go over what others wrote.
    if (batch.metadata.resourceVersion === undefined) throw new TypeError('a batch is written without resourceVersion');
    const options = { fieldManager: FIELD_MANAGER, ...(subresource && { subresource }) };
    const stored = await client.update(inferenceBatches, batch, options);
    noteWrite(stored);
    return stored;
  };
  return {
    get: async (ref) => await client.get(inferenceBatches, ref),
    update: async (batch) => await write(batch),
    updateStatus: async (batch) => await write(batch, 'status'),
    delete: async ({ metadata }) => {
      const { uid, resourceVersion } = metadata;
      const preconditions = {
        ...(uid !== undefined && { uid }),
        ...(resourceVersion !== undefined && { resourceVersion }),
      };
      await client.delete(inferenceBatches, metadata, preconditions);
    },
  };
}

/** Returns claims by a Lease of each batch in `namespace`; `identity` is unique to this process. */
export function leaseClaims(options: {
  client: Client;
  namespace: string;
  identity: string;
  noteWrite: (batch: InferenceBatch) => void;
  logger: Logger;
}): Claims {
  const { client, namespace, identity, noteWrite, logger } = options;
  return {
    hold: async (batch, signal, work) => {
      const elector = new LeaderElector({ ...LEASE, client, namespace, name: leaseName(batch), identity, logger });
      await elector.run(signal, async (ending, lost) => {
        const resources = batchResources(client.writesUntil(lost, elector.isLeading), noteWrite);
        await work({ ending, lost, resources });
      });
    },
    forget: async (batch) => {
      const ref = { namespace, name: leaseName(batch) };
      const lease = await client.get(leases, ref);
      const { uid, resourceVersion } = lease?.metadata ?? {};
      if (lease === undefined || isHeld(lease.spec) || uid === undefined || resourceVersion === undefined) return;
      await client.delete(leases, ref, { uid, resourceVersion });
    },
  };
}

/** Another process may have taken it since; one that died while it held it renews it no more. */
function isHeld({ holderIdentity, renewTime }: LeaseSpec = {}): boolean {
  return holderIdentity !== '' && !(Date.parse(renewTime ?? '') < Date.now() - ABANDONED_MS);
}

/** Returns the name of the batch's Lease: batches of all namespaces have theirs in one. */
export function leaseName({ metadata: { namespace, name, uid } }: InferenceBatch): string {
  return `infer-batch-${contentHash({ namespace, name, uid })}`;
}
