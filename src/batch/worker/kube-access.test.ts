import { expect, test } from '@jest/globals';
import { leaseClaims } from './kube-access.ts';

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

async function isForgotten(holderIdentity: string, renewedMsAgo: number): Promise<boolean> {
  let deleted = false;
  const spec = { holderIdentity, renewTime: new Date(Date.now() - renewedMsAgo).toISOString() };
  const client = {
    get: async () => ({ metadata: { name: 'lease', uid: 'uid', resourceVersion: '1' }, spec }),
    delete: async () => {
      deleted = true;
    },
  };
  const claims = leaseClaims({
    client: client as unknown as Parameters<typeof leaseClaims>[0]['client'],
    namespace: 'infer-system',
    identity: 'batch-0',
    noteWrite: () => undefined,
    logger: SILENT,
  });
  await claims.forget({
    metadata: { name: 'labels' },
    spec: { inputFileId: '', endpoint: '/v1/embeddings', apiKey: '' },
  });
  return deleted;
}

test.each([
  ['that was given back goes', '', 0, true],
  ['that another process holds stays', 'batch-1', 5000, false],
  ['whose holder died goes a day later', 'batch-1', 86_500_000, true],
])('the Lease of a batch %s', async (_sentence, holder, renewedMsAgo, forgotten) => {
  expect(await isForgotten(holder, renewedMsAgo)).toBe(forgotten);
});
