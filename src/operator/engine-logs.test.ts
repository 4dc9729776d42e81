import { beforeEach, describe, expect, test } from '@jest/globals';
import { readyPod, replicaPod } from '../../test/support/resources.ts';
import { engineStartFailure, GPU_OUT_OF_MEMORY } from '../../test/vllm-sim/log.ts';
import type { Pod } from '../api/kubernetes.ts';
import { ConnectionError } from '../kube/errors.ts';
import type { EngineCause } from './diagnose/engine-log.ts';
import { engineLogReader, EngineLogs } from './engine-logs.ts';

const OUT_OF_MEMORY = engineStartFailure(GPU_OUT_OF_MEMORY);
const PARSE_ERROR = engineStartFailure('ValueError: bad config');

/** What the kubelet answers, and what it was asked. */
let answer: () => string;
let asked: string[];
let debugged: string[];
let logs: EngineLogs;

function engineLogs(capacity?: number): EngineLogs {
  const logger = { debug: (_: object, text: string) => debugged.push(text), info() {}, warn() {}, error() {} };
  return new EngineLogs({
    read: ({ name }, previous) => {
      asked.push(`${name} ${previous ? 'previous' : 'current'}`);
      return Promise.resolve().then(() => answer());
    },
    logger,
    ...(capacity !== undefined && { capacity }),
  });
}

beforeEach(() => {
  answer = () => OUT_OF_MEMORY;
  asked = [];
  debugged = [];
  logs = engineLogs();
});

/** The replica `name` after its engine's failure number `failure`, in the states through which Kubernetes takes it. */
function failed(failure: number, state: 'over' | 'waiting' | 'again' = 'waiting', name = 'p'): Pod {
  const terminated = { exitCode: 1, containerID: `containerd://${name}-${failure}` };
  const pod = {
    over: replicaPod({ restartCount: failure, state: { terminated } }),
    waiting: replicaPod({ restartCount: failure, state: { waiting: {} }, lastState: { terminated } }),
    again: replicaPod({ restartCount: failure + 1, state: { running: {} }, lastState: { terminated } }),
  }[state];
  return { ...pod, metadata: { ...pod.metadata, name, uid: `uid-${name}` } };
}

async function causeOf(pod: Pod): Promise<EngineCause | undefined> {
  const { causes } = await logs.causesOf([pod]);
  return causes.get(pod.metadata.uid ?? '');
}

async function reasonOf(pod: Pod): Promise<string | undefined> {
  return (await causeOf(pod))?.reason;
}

async function messageOf(pod: Pod): Promise<string | undefined> {
  return (await causeOf(pod))?.message;
}

function unreachable(): never {
  throw new ConnectionError('no answer from the kubelet');
}

describe('EngineLogs', () => {
  test('reads each failure of a crash loop once, whatever state Kubernetes shows', async () => {
    for (const failure of [0, 1]) {
      for (const state of ['over', 'over', 'waiting', 'again', 'again'] as const) {
        expect(await reasonOf(failed(failure, state))).toBe('GPUOutOfMemory');
      }
    }
    expect(asked).toEqual(['p current', 'p current']);
  });

  test('reads the previous container of one that runs or waits, and tells replicas apart', async () => {
    const { causes } = await logs.causesOf([failed(0, 'again', 'a'), failed(0, 'waiting', 'b')]);
    expect([...causes.keys()].toSorted()).toEqual(['uid-a', 'uid-b']);
    expect(asked).toEqual(['a previous', 'b previous']);
  });

  test('reads nothing of replicas that serve, load or were killed for their memory', async () => {
    const killed = { exitCode: 137, reason: 'OOMKilled' };
    const pods = [readyPod(), replicaPod({ state: { running: {} } }), replicaPod({ state: { terminated: killed } })];
    expect(await logs.causesOf(pods)).toEqual({ causes: new Map(), unread: false });
    expect(asked).toEqual([]);
  });

  test('a log that cannot be read fails no pass, is asked for again, and given up after three times', async () => {
    answer = unreachable;
    const unread: boolean[] = [];
    for (let pass = 0; pass < 5; pass += 1) unread.push((await logs.causesOf([failed(0)])).unread);
    expect(unread).toEqual([true, true, false, false, false]);
    expect(asked).toHaveLength(3);
    expect(debugged).toEqual(Array(3).fill('log of a failed engine not read'));
    answer = () => OUT_OF_MEMORY;
    expect(await reasonOf(failed(1))).toBe('GPUOutOfMemory');
  });

  test('the cause before is shown until the log of a later failure was read, also where one was given up', async () => {
    await logs.causesOf([failed(0)]);
    answer = unreachable;
    for (let look = 0; look < 4; look += 1) expect(await reasonOf(failed(1))).toBe('GPUOutOfMemory');
  });

  test('another cause replaces the one before', async () => {
    await logs.causesOf([failed(0)]);
    answer = () => PARSE_ERROR;
    expect(await reasonOf(failed(1))).toBe('EngineFailed');
  });

  test('a cause that differs only in sizes is not told anew', async () => {
    const first = await messageOf(failed(0));
    answer = () => OUT_OF_MEMORY.replaceAll('224.00 MiB', '96.00 MiB');
    expect(await messageOf(failed(1))).toBe(first);
    expect(asked).toHaveLength(2);
  });

  test('a current log without a cause may be that of a container started meanwhile: the previous one is read too', async () => {
    await logs.causesOf([failed(0)]);
    answer = () => 'loading';
    for (let pass = 0; pass < 3; pass += 1) expect(await reasonOf(failed(1, 'over'))).toBe('GPUOutOfMemory');
    expect(await reasonOf(failed(1, 'again'))).toBeUndefined();
    expect(await reasonOf(failed(1, 'again'))).toBeUndefined();
    expect(asked).toEqual(['p previous', 'p current', 'p previous']);
  });

  test('remembers so many replicas and no more', async () => {
    logs = engineLogs(2);
    for (const name of ['a', 'b', 'c', 'c', 'b', 'a']) await logs.causesOf([failed(0, 'waiting', name)]);
    expect(asked.map((line) => line.split(' ')[0])).toEqual(['a', 'b', 'c', 'a']);
  });
});

test('engineLogReader asks for the end of the container log, within bounds', async () => {
  const calls: unknown[] = [];
  const read = engineLogReader({
    getText: async (...call) => {
      calls.push(call);
      return await Promise.resolve('text');
    },
  });
  expect(await read({ namespace: 'team-a', name: 'p' }, true)).toBe('text');
  expect(calls).toEqual([
    [
      '/api/v1/namespaces/team-a/pods/p/log',
      { container: 'engine', previous: 'true', tailLines: '400', limitBytes: '262144' },
      { signal: expect.any(AbortSignal) },
    ],
  ]);
});
