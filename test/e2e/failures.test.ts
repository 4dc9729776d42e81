/**
 * What goes wrong on a real node, all at the same time: each failure is told with its cause within 15 seconds of when
 * Kubernetes lets know, is told in the same words for a minute of further tries, and is gone within 15 seconds of its
 * repair.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { HardwareProfileSpec } from '../../src/api/generated/hardware-profile.ts';
import { hardwareProfiles } from '../../src/api/resources.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { nodeProgram } from '../cluster/programs.ts';
import { eventually } from '../support/eventually.ts';
import { NOT_READY, READY } from '../support/failure-watch.ts';
import { installInfer } from '../support/install.ts';
import { createDeployment } from '../support/scenario.ts';
import { FailureBed, NAMESPACE } from './failure-bed.ts';
import { failures, type Failure } from './failure-rows.ts';

const NAME = 't-failures';
const SOON_MS = 15_000;
const STEADY_MS = 60_000;
const SERVES = { model: { id: 'infer-examples/tiny-llama' }, drainTimeoutSeconds: 0 };

interface Outcome {
  reason: string;
  message: string;
  /** From the sign to the condition, in milliseconds. */
  shownMs: number;
  /** What was told in the minute after it, the first words included. */
  told: number;
  /** From a replica that is ready to the condition. */
  clearedMs: number;
}

let cluster: Cluster;
let bed: FailureBed;
let stop = async (): Promise<void> => {};
const outcomes = new Map<string, Outcome | Error>();

function profileSpec(differs: Partial<HardwareProfileSpec>): HardwareProfileSpec {
  return {
    image: 'localhost/vllm-sim:dev',
    resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '256Mi' } },
    ...differs,
  };
}

async function create({ name, namespace = NAMESPACE, profile, spec }: Failure): Promise<void> {
  await bed.client.create(hardwareProfiles, {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'HardwareProfile',
    metadata: { name, namespace: 'infer-system' },
    spec: profileSpec(profile ?? {}),
  });
  await createDeployment(bed.client, namespace, name, { ...SERVES, hardwareProfile: name, ...spec });
}

/** Waits until the Ready condition says so and returns since when; the sign must be seen by then. */
async function toldSince(name: string, reason: string, says: RegExp, timeoutMs: number): Promise<number> {
  return await eventually(
    () => {
      const last = bed.watch.told(name).at(-1);
      expect(last).toMatchObject({ reason, message: expect.stringMatching(says) });
      expect(bed.watch.seenMs(name)).toBeDefined();
      return last?.atMs ?? 0;
    },
    timeoutMs,
    200,
  );
}

/** From the sign on; what is told before the watch of this test shows it counts as at once. */
function sinceSign(name: string, atMs: number): number {
  return Math.max(0, Math.round(atMs - (bed.watch.seenMs(name) ?? 0)));
}

async function goThrough(failure: Failure): Promise<Outcome> {
  const { name, namespace, cause, sign, reason, says, repair } = failure;
  const over = new AbortController();
  if (cause?.afterReady !== true) bed.watch.await(name, sign);
  await create(failure);
  if (cause?.afterReady === true) {
    bed.watch.await(name, READY);
    await toldSince(name, 'Serving', /./, 120_000);
    bed.watch.await(name, sign);
  }
  const causing = cause?.run(bed, name, over.signal);
  try {
    const shownAtMs = await toldSince(name, reason, says, 180_000);
    const shownMs = sinceSign(name, shownAtMs);
    // The minute itself is what is tested.
    await delay(STEADY_MS);
    const told = bed.watch.told(name).filter(({ atMs }) => atMs >= shownAtMs);
    over.abort();
    await causing;
    bed.watch.await(name, READY);
    await (repair?.(bed) ?? bed.edit(name, { hardwareProfile: 'cpu' }, namespace));
    const clearedMs = sinceSign(name, await toldSince(name, 'Serving', /./, 180_000));
    return { reason, message: told[0]?.message ?? '', shownMs, told: told.length, clearedMs };
  } finally {
    over.abort();
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function table(): string {
  const rows = failures.map(({ name, sentence }) => {
    const outcome = outcomes.get(name);
    if (outcome === undefined || outcome instanceof Error) return [sentence, 'failed', '', '', '', ''];
    const { reason, shownMs, told, clearedMs, message } = outcome;
    return [sentence, reason, seconds(shownMs), String(told), seconds(clearedMs), message];
  });
  const head = ['failure', 'reason', 'shown', 'told', 'cleared', 'message'];
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

beforeAll(async () => {
  await localClusterDown(NAME, () => undefined);
  cluster = await localClusterUp({ name: NAME, nodes: 1, progress: () => undefined, gpus: 2 });
  await installInfer(cluster, () => undefined);
  bed = new FailureBed(cluster);
  stop = async () => await bed.stop();
  await bed.prepare();
  await createDeployment(bed.client, NAMESPACE, 'holder', { ...SERVES, minReplicas: 2 });
  bed.watch.await('holder', READY);
  await eventually(() => expect(bed.watch.told('holder').at(-1)?.reason).toBe('Serving'), 120_000);
  await Promise.all(failures.map(async (failure) => await settle(failure)));
  console.log(table());
}, 900_000);

async function settle(failure: Failure): Promise<void> {
  const outcome = await goThrough(failure).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  outcomes.set(failure.name, outcome);
}

afterAll(async () => {
  await stop();
  await localClusterDown(NAME, () => undefined);
}, 120_000);

test.each(failures.map(({ sentence, name, reason }): [string, string, string] => [sentence, name, reason]))(
  '%s',
  (_sentence, name, reason) => {
    const outcome = outcomes.get(name);
    if (outcome === undefined || outcome instanceof Error) throw outcome ?? new Error(`${name} did not run`);
    expect(outcome.reason).toBe(reason);
    expect(outcome.shownMs).toBeLessThanOrEqual(SOON_MS);
    expect(outcome.told).toBe(1);
    expect(outcome.clearedMs).toBeLessThanOrEqual(SOON_MS);
  },
);

test('a node that does not answer is named, and the replicas on it serve again when it does', async () => {
  const node = `${NAME}-node-1`;
  const kubelet = await nodeProgram(cluster, node, 'kubelet');
  bed.watch.await('crash', NOT_READY);
  await kubelet.kill('SIGKILL');
  const lost = await toldSince(
    'crash',
    'NodeLost',
    new RegExp(`^Node ${node} with a replica does not answer`),
    120_000,
  );
  expect(sinceSign('crash', lost)).toBeLessThanOrEqual(SOON_MS);
  bed.watch.await('crash', READY);
  await kubelet.start();
  expect(sinceSign('crash', await toldSince('crash', 'Serving', /./, 120_000))).toBeLessThanOrEqual(SOON_MS);
}, 300_000);
