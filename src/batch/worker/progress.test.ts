import { expect, test } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.ts';
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import { pause } from '../../kube/backoff.ts';
import { ApiError } from '../../kube/errors.ts';
import { Progress } from './progress.ts';
import { NO_USAGE } from './result-lines.ts';
import { enterState } from './state.ts';
import { StatusWriter } from './status-writer.ts';
import { Troubles } from './troubles.ts';

const silent = (): void => undefined;

test('what another process has fixed meanwhile is not written over', async () => {
  const bare: InferenceBatch = {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'InferenceBatch',
    metadata: { name: 'labels', namespace: 'team-a', uid: 'uid', creationTimestamp: new Date().toISOString() },
    spec: { inputFileId: 'file', endpoint: '/v1/chat/completions', apiKey: 'nightly' },
  };
  const at = (state: 'InProgress' | 'Finalizing', neededReplicas: number): InferenceBatch => ({
    ...bare,
    status: enterState(bare, state, '', new Date(), { neededReplicas }),
  });
  const sealed = at('Finalizing', 0);
  let reads = 0;
  let writes = 0;
  const status = new StatusWriter(
    {
      get: async () => {
        reads += 1;
        return sealed;
      },
      update: async (batch) => batch,
      updateStatus: async (batch) => {
        writes += 1;
        if (writes > 1) return batch;
        throw new ApiError('conflict', { status: 409, reason: 'Conflict' });
      },
      delete: async () => undefined,
    },
    at('InProgress', 1),
  );
  const stop = new AbortController();
  const progress = new Progress({
    status,
    clock: { wall: () => Date.now(), monotonic: () => performance.now(), pause },
    logger: { debug: silent, info: silent, warn: silent, error: silent },
    troubles: new Troubles(() => performance.now()),
    before: { requests: { completed: 0, failed: 0 }, usage: NO_USAGE },
    total: 2,
    pace: () => ({ replicas: 1, ratePerReplica: undefined }),
    otherWork: () => [],
  });
  progress.start(stop.signal);
  await eventually(() => expect(reads).toBe(1));
  await progress.stop();
  expect(writes).toBe(1);
  expect(status.batch).toBe(sealed);
});
