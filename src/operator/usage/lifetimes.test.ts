import { describe, expect, test } from '@jest/globals';
import type { ContainerStatus, Pod } from '../../api/kubernetes.ts';
import { isPlaced, lifetimes } from './lifetimes.ts';

type Status = NonNullable<Pod['status']>;
const START = Date.parse('2026-01-01T00:00:00Z') / 1_000;

/** The time so many seconds after the pod was scheduled. */
function at(seconds: number): string {
  return new Date((START + seconds) * 1_000).toISOString();
}

function pod(status: Partial<Status> = {}, metadata: Partial<Pod['metadata']> = {}): Pod {
  return {
    metadata: { name: 'infer-chat-5d9f-abcde', uid: 'a', creationTimestamp: at(-5), ...metadata },
    spec: { containers: [{ name: 'engine', resources: { limits: { memory: '96Gi', 'nvidia.com/gpu': '4' } } }] },
    status: {
      phase: 'Running',
      conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: at(0) }],
      ...status,
    },
  };
}

function ended(seconds: number): ContainerStatus {
  const terminated = { exitCode: 0, finishedAt: at(seconds) };
  return { name: 'engine', ready: false, restartCount: 0, state: { terminated } };
}

/** Seconds from scheduled to ended, of the one pod. */
function lived(status: Partial<Status>, metadata?: Partial<Pod['metadata']>, goneAt?: number): number | undefined {
  const one = pod(status, metadata);
  const departed = goneAt === undefined ? [] : [{ pod: one, atMs: (START + goneAt) * 1_000 }];
  const [life] = lifetimes(departed.length === 0 ? [one] : [], departed);
  return life?.until === undefined ? undefined : life.until - life.since;
}

describe('lifetimes', () => {
  test('begin when the pod is given its node, with the accelerators that the pod itself has', () => {
    expect(lifetimes([pod()], [])).toEqual([{ uid: 'a', gpus: 4, since: START }]);
    const waiting = pod({ conditions: [{ type: 'PodScheduled', status: 'False', lastTransitionTime: at(0) }] });
    expect(lifetimes([waiting], [{ pod: { ...waiting, metadata: { name: 'b', uid: 'b' } }, atMs: 0 }])).toEqual([]);
    expect(isPlaced(waiting)).toBe(false);
  });

  test('a replica on processors alone has no accelerators', () => {
    const onCpu = { ...pod(), spec: { containers: [{ name: 'engine', resources: { limits: { memory: '1Gi' } } }] } };
    expect(lifetimes([onCpu], [])[0]?.gpus).toBe(0);
  });

  test('an engine that Kubernetes starts again keeps its place', () => {
    expect(lived({ containerStatuses: [ended(60)] })).toBeUndefined();
    expect(isPlaced(pod({ containerStatuses: [ended(60)] }))).toBe(true);
  });

  test.each<[string, Partial<Status>, Partial<Pod['metadata']> | undefined, number]>([
    ['failed', { phase: 'Failed', containerStatuses: [ended(60)] }, undefined, 60],
    ['drained, and its object is still there', { containerStatuses: [ended(70)] }, { deletionTimestamp: at(200) }, 70],
    [
      'given up with its node, while nothing says that its engine ended',
      {
        phase: 'Failed',
        conditions: [
          { type: 'PodScheduled', status: 'True', lastTransitionTime: at(0) },
          { type: 'DisruptionTarget', status: 'True', lastTransitionTime: at(80) },
        ],
        initContainerStatuses: [{ ...ended(10), name: 'download' }],
        containerStatuses: [
          { name: 'engine', ready: true, restartCount: 0, state: { running: { startedAt: at(11) } } },
        ],
      },
      undefined,
      80,
    ],
    ['refused by its node', { phase: 'Failed', reason: 'UnexpectedAdmissionError' }, undefined, 0],
  ])('one that has %s ended when its containers did', (_, status, metadata, seconds) => {
    expect(lived(status, metadata)).toBe(seconds);
    expect(isPlaced(pod(status, metadata))).toBe(false);
  });

  test('of one that is gone its own word counts before the time at which that was noticed', () => {
    expect(lived({ containerStatuses: [ended(70)] }, { deletionTimestamp: at(200) }, 75)).toBe(70);
    expect(lived({}, undefined, 90)).toBe(90);
    // Removed at its deadline, and noticed later; or removed before.
    expect(lived({}, { deletionTimestamp: at(120) }, 500)).toBe(120);
    expect(lived({}, { deletionTimestamp: at(120) }, 100)).toBe(100);
  });

  test('one that is there and was seen to go is there', () => {
    expect(lifetimes([pod()], [{ pod: pod(), atMs: 0 }])).toEqual([{ uid: 'a', gpus: 4, since: START }]);
  });

  test('a clock of the operator that went back does not end a replica before what is known of it', () => {
    const conditions = [
      { type: 'PodScheduled', status: 'True', lastTransitionTime: at(0) },
      { type: 'Ready', status: 'True', lastTransitionTime: at(50) },
    ];
    expect(lived({ conditions }, undefined, -3_600)).toBe(50);
  });
});
