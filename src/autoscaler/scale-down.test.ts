import { beforeEach, expect, test } from '@jest/globals';
import type { Deployment, Pod } from '../api/kubernetes.ts';
import { DRAINING_SINCE_ANNOTATION } from '../api/labels.ts';
import type { KubeClient } from '../kube/client.ts';
import { stepDown, type ScaleDownResult } from './scale-down.ts';

const NOW = new Date('2026-01-01T00:00:00Z');

/** `pod: mark` of each write. */
let written: string[];
let since: Date;

beforeEach(() => {
  written = [];
  since = new Date('2025-12-31T00:00:00Z');
});

function deployment(replicas: number): Deployment {
  const status = { observedGeneration: 1, replicas, updatedReplicas: replicas };
  return { metadata: { name: 'd', generation: 1 }, spec: { replicas }, status } as unknown as Deployment;
}

function pod(uid: string, markedAt?: string): Pod {
  const annotations = markedAt === undefined ? {} : { [DRAINING_SINCE_ANNOTATION]: markedAt };
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'rs', controller: true };
  return {
    metadata: { name: uid, uid, annotations, ownerReferences: [owner] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  };
}

async function step(pods: Pod[], wanted: number): Promise<ScaleDownResult> {
  const client = {
    patch: async (
      _: unknown,
      { name }: { name: string },
      body: { metadata: { annotations: Record<string, string> } },
    ) => {
      written.push(`${name}: ${body.metadata.annotations[DRAINING_SINCE_ANNOTATION] ?? 'none'}`);
      return pod(name);
    },
  } as unknown as KubeClient;
  return await stepDown(deployment(pods.length), pods, wanted, {
    client,
    work: { inFlight: new Map(), isDrained: () => false, isPartial: false },
    drainTimeoutMs: 60_000,
    suspended: false,
    since,
    now: NOW,
    onWrite: () => undefined,
  });
}

test('a mark of the future is set to now, so that its wait ends', async () => {
  expect(await step([pod('a', '2026-01-01T01:00:00Z'), pod('b')], 1)).toEqual({ replicas: 2, requeueAfterMs: 60_000 });
  expect(written).toEqual(['a: 2026-01-01T00:00:00.000Z']);
});

test('a mark that is no time is waited for no longer, and taken back when nothing is to go', async () => {
  expect(await step([pod('a', 'soon'), pod('b')], 1)).toEqual({ replicas: 1 });
  expect(written).toEqual([]);
  expect(await step([pod('a', 'soon'), pod('b')], 2)).toEqual({ replicas: 2 });
  expect(written).toEqual(['a: none']);
});

test('a mark that is older than the term is waited for as if it were made at its beginning', async () => {
  since = new Date(NOW.getTime() - 10_000);
  const pods = [pod('a', '2025-12-31T12:00:00Z'), pod('b')];
  expect(await step(pods, 1)).toEqual({ replicas: 2, requeueAfterMs: 50_000 });
  since = new Date(NOW.getTime() - 60_000);
  expect(await step(pods, 1)).toEqual({ replicas: 1 });
});
