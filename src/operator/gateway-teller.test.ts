import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { deploymentReport, replicaReport } from '../../test/support/reports.ts';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { LoadView } from '../autoscaler/load-view.ts';
import { bucketOf } from '../channel/histogram.ts';
import { encode, parseHeartbeat, type DeploymentReport, type Heartbeat, type SealingKey } from '../channel/messages.ts';
import { GatewayTeller } from './gateway-teller.ts';
import { LiveView } from './live-view.ts';

const SECOND = 1_000;
const START_TIME = 1_800_000_000_000;

let nowMs: number;
let load: LoadView;
let view: LiveView;
let teller: GatewayTeller;
let resources: Map<string, InferenceDeployment>;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['performance'] });
  nowMs = 1_000_000;
  resources = new Map();
  load = new LoadView(nowMs);
  view = new LiveView(load, (uid) => resources.get(uid));
  teller = new GatewayTeller(view, () => ({ nowMs, timeMs: START_TIME + nowMs }));
  teller.start();
  add('uid-chat');
});

afterEach(() => {
  teller.stop();
  jest.useRealTimers();
});

function add(uid: string, namespace = 'team-a', allowKeysFrom?: string[]): void {
  const resource = inferenceDeployment(allowKeysFrom && { allowKeysFrom });
  resources.set(uid, {
    ...resource,
    metadata: { ...resource.metadata, uid, namespace },
    status: { replicas: { ready: 2, desired: 3 } },
  });
}

/** A gateway that is connected, and what it was told. */
function gateway(podUid: string, isCongested: () => boolean = () => false): Heartbeat[] {
  const told: Heartbeat[] = [];
  load.connected(podUid, 'one', nowMs);
  const tell = (message: Heartbeat): boolean => {
    if (isCongested()) return false;
    // As it arrives: what it says must be valid.
    told.push(parseHeartbeat(encode(message)));
    return true;
  };
  teller.connected(podUid, tell, isCongested);
  report(podUid);
  return told;
}

function report(podUid: string, ...deployments: DeploymentReport[]): void {
  load.report(podUid, { type: 'report', more: false, deployments }, () => true, nowMs);
}

function watch(podUid: string, namespaces: string[], details: string[] = [], version = 1): void {
  teller.heard(podUid, { watch: { version, namespaces, details } });
}

function pass(milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed += SECOND) {
    nowMs += SECOND;
    jest.advanceTimersByTime(SECOND);
  }
}

const uidsOf = (told: readonly Heartbeat[]): string[][] =>
  told.flatMap(({ live }) => (live ? [live.deployments.map(({ uid }) => uid)] : []));

const engine = (kvCacheUsage: number) => ({ ageMs: 100, waiting: 1, kvCacheUsage });
const sorted = (all: string[][]): string[][] => all.map((uids) => uids.toSorted());

describe('live figures', () => {
  test('are those of all gateways together', () => {
    const told = gateway('a');
    gateway('b');
    const latency = new Map([[bucketOf(1_000), 10]]);
    report(
      'a',
      deploymentReport('uid-chat', {
        arrivals: 20,
        latency,
        firstByte: new Map([[bucketOf(50), 10]]),
        held: 1,
        ages: new Map([[5, 3]]),
        replicas: [replicaReport('pod-1', { inFlight: 2, engine: engine(0.2) })],
      }),
    );
    report(
      'b',
      deploymentReport('uid-chat', {
        arrivals: 10,
        latency,
        held: 2,
        ages: new Map([[5, 3]]),
        replicas: [
          replicaReport('pod-1', { inFlight: 1 }),
          replicaReport('pod-2', { inFlight: 3, engine: engine(0.6) }),
        ],
      }),
    );
    watch('a', [], ['uid-chat']);
    expect(told).toHaveLength(1);
    const [deployment] = told[0]?.live?.deployments ?? [];
    expect(deployment?.sample).toMatchObject({
      timeMs: START_TIME + nowMs,
      inFlight: 6,
      queued: 3,
      replicasReady: 2,
      replicasDesired: 3,
    });
    expect(deployment?.sample.kvCacheUsage).toBeCloseTo(0.4);
    expect(deployment?.sample.latencyP95Ms).toBeCloseTo(1_000, -2);
    expect(deployment?.sample.firstByteP95Ms).toBeCloseTo(50, -1);
    expect(deployment?.replicas).toEqual([
      { podUid: 'pod-1', inFlight: 3, waiting: 1, kvCacheUsage: 0.2 },
      { podUid: 'pod-2', inFlight: 3, waiting: 1, kvCacheUsage: 0.6 },
    ]);
    // 30 requests came to 20 s of which all were seen.
    pass(10 * SECOND);
    const rate = told.at(-1)?.live?.deployments[0]?.sample.requestsPerSecond ?? 0;
    expect(rate).toBeGreaterThan(1.9);
    expect(rate).toBeLessThan(3.1);
    pass(10 * SECOND);
    expect(told.at(-1)?.live?.deployments[0]?.sample.requestsPerSecond).toBe(0);
  });

  test('stay within what others take, whatever a gateway says', () => {
    const told = [gateway('a'), gateway('b')];
    const most = Number.MAX_SAFE_INTEGER;
    const replicas = [replicaReport('pod-1', { inFlight: most }), replicaReport('pod-2', { inFlight: most })];
    for (const podUid of ['a', 'b']) {
      report(podUid, deploymentReport('uid-chat', { arrivals: most, held: most, replicas }));
    }
    watch('a', ['team-a'], ['uid-chat']);
    pass(SECOND);
    // Each line was parsed as it came; see gateway().
    expect(told[0]?.at(-1)?.live?.deployments[0]?.sample).toMatchObject({ inFlight: most, queued: most });
  });

  test('are told once a second of what is watched and no more', () => {
    add('uid-shared', 'team-b', ['team-a']);
    add('uid-other', 'team-b');
    add('uid-idle');
    const [told, other, silent] = [gateway('a'), gateway('b'), gateway('c')];
    for (const uid of ['uid-chat', 'uid-shared', 'uid-other']) report('a', deploymentReport(uid, { arrivals: 1 }));
    watch('a', ['team-a']);
    watch('b', ['team-b']);
    pass(2 * SECOND);
    expect(sorted(uidsOf(told))).toEqual(Array.from({ length: 3 }, () => ['uid-chat', 'uid-shared']));
    expect(sorted(uidsOf(other))).toEqual(Array.from({ length: 3 }, () => ['uid-other', 'uid-shared']));
    expect(silent).toEqual([]);
    watch('a', [], [], 2);
    told.length = 0;
    pass(5 * SECOND);
    expect(told).toEqual([]);
  });

  test('of nothing are told once, so that who waits for an answer has it', () => {
    const told = gateway('a');
    watch('a', ['team-a'], [], 7);
    pass(3 * SECOND);
    expect(told).toEqual([{ type: 'heartbeat', live: { watch: 7, more: false, deployments: [] } }]);
  });

  test('of many come in several lines', () => {
    for (let index = 0; index < 600; index += 1) add(`uid-${index}`);
    const told = gateway('a');
    report('a', ...Array.from({ length: 600 }, (_, index) => deploymentReport(`uid-${index}`, { arrivals: 1 })));
    watch('a', ['team-a'], ['uid-1', 'uid-2']);
    expect(told.map(({ live }) => [live?.deployments.length, live?.more])).toEqual([
      [2, true],
      [250, true],
      [250, true],
      [98, false],
    ]);
    expect(new Set(uidsOf(told).flat()).size).toBe(600);
  });

  test('are not asked for more often than the leader likes', () => {
    const told = gateway('a');
    for (let version = 1; version <= 100; version += 1) watch('a', ['team-a'], ['uid-chat'], version);
    expect(told.map(({ live }) => live?.watch)).toEqual([1]);
    nowMs += 200;
    jest.advanceTimersByTime(200);
    expect(told.map(({ live }) => live?.watch)).toEqual([1, 100]);
  });

  test('wait for a gateway that reads slowly', () => {
    let isCongested = true;
    const told = gateway('a', () => isCongested);
    const computed = jest.spyOn(view, 'detail');
    watch('a', [], ['uid-chat']);
    pass(3 * SECOND);
    expect(computed).not.toHaveBeenCalled();
    isCongested = false;
    pass(SECOND);
    expect(told).toHaveLength(1);
    expect(told[0]?.live?.deployments[0]?.history).toBeDefined();
  });
});

describe('history', () => {
  test('is that of 15 minutes, told once on a connection', () => {
    const told = gateway('a');
    for (let minute = 0; minute < 20; minute += 1) {
      report('a', deploymentReport('uid-chat', { arrivals: 60 * (minute + 1) }));
      pass(60 * SECOND);
    }
    watch('a', [], ['uid-chat']);
    const history = told[0]?.live?.deployments[0]?.history ?? [];
    expect(history).toHaveLength(180);
    expect((history.at(-1)?.timeMs ?? 0) - (history[0]?.timeMs ?? 0)).toBe(895 * SECOND);
    pass(SECOND);
    watch('a', ['team-a'], ['uid-chat'], 2);
    expect(told.slice(1).flatMap(({ live }) => live?.deployments[0]?.history ?? [])).toEqual([]);
    // Who looks away and back, and a new connection, are told anew.
    pass(SECOND);
    told.length = 0;
    watch('a', [], [], 3);
    watch('a', [], ['uid-chat'], 4);
    pass(SECOND);
    expect(told.filter(({ live }) => live?.deployments[0]?.history !== undefined)).toHaveLength(1);
  });

  test('is told of those alone that are looked at with it', () => {
    add('uid-other');
    const told = gateway('a');
    const details = ['uid-chat', 'uid-other'];
    teller.heard('a', { watch: { version: 1, namespaces: [], details, histories: ['uid-other'] } });
    const having = told[0]?.live?.deployments.filter(({ history }) => history !== undefined) ?? [];
    expect(having.map(({ uid }) => uid)).toEqual(['uid-other']);
  });

  test('of a deployment at rest for longer, and of one that has gone, is forgotten', () => {
    add('uid-gone');
    gateway('a');
    report('a', deploymentReport('uid-chat', { arrivals: 1 }), deploymentReport('uid-gone', { arrivals: 1 }));
    pass(60 * SECOND);
    expect(view.active()).toHaveLength(2);
    resources.delete('uid-gone');
    pass(10 * SECOND);
    expect(view.active()).toHaveLength(1);
    expect(view.history('uid-gone')).toEqual([]);
    pass(1_000 * SECOND);
    expect(view.active()).toEqual([]);
    expect(view.history('uid-chat')).toEqual([]);
  });

  test('is kept of a thousand deployments, those with the latest requests', () => {
    gateway('a');
    for (let index = 0; index < 1_100; index += 1) {
      add(`uid-${index}`);
      report('a', deploymentReport(`uid-${index}`, { arrivals: 1 }));
    }
    pass(10 * SECOND);
    expect(view.active()).toHaveLength(1_000);
    expect(view.history('uid-1099')).not.toEqual([]);
    expect(view.history('uid-0')).toEqual([]);
  });
});

const key = (id: string, ageMs: number): SealingKey => ({
  id,
  madeAtMs: START_TIME + nowMs - ageMs,
  key: id.padEnd(43, 'A'),
});
const idsOf = (told: readonly Heartbeat[]): string[][] =>
  told.flatMap(({ sealingKeys }) => (sealingKeys ? [sealingKeys.map(({ id }) => id)] : []));

describe('sealing keys', () => {
  test('of one gateway are handed to all that know of them, those that come later included', () => {
    const [a, b, before] = [gateway('a'), gateway('b'), gateway('c')];
    teller.heard('a', { sealingKeys: [] });
    teller.heard('b', { sealingKeys: [] });
    expect(idsOf([...a, ...b])).toEqual([]);
    teller.heard('a', { sealingKeys: [key('key-of-a', 1_000)] });
    expect(idsOf(b)).toEqual([['key-of-a']]);
    teller.heard('b', { sealingKeys: [key('key-of-b', 2_000), key('key-of-a', 1_000)] });
    expect(idsOf(a).at(-1)).toEqual(['key-of-b', 'key-of-a']);
    const late = gateway('d');
    teller.heard('d', { sealingKeys: [] });
    expect(idsOf(late)).toEqual([['key-of-b', 'key-of-a']]);
    expect(before).toEqual([]);
    // At rest nothing is said.
    const said = [a, b, late].map(({ length }) => length);
    pass(5 * SECOND);
    expect([a, b, late].map(({ length }) => length)).toEqual(said);
  });

  test('reach a gateway that read slowly', () => {
    let isCongested = true;
    const told = gateway('a', () => isCongested);
    teller.heard('a', { sealingKeys: [] });
    gateway('b');
    teller.heard('b', { sealingKeys: [key('key-of-b', 0)] });
    isCongested = false;
    pass(SECOND);
    expect(idsOf(told)).toEqual([['key-of-b']]);
  });

  test('are told to a new leader by the gateways', () => {
    gateway('a');
    const next = new GatewayTeller(view, () => ({ nowMs, timeMs: START_TIME + nowMs }));
    const told: Heartbeat[] = [];
    next.connected(
      'a',
      () => true,
      () => false,
    );
    next.connected(
      'b',
      (message) => told.push(message) > 0,
      () => false,
    );
    next.heard('a', { sealingKeys: [key('key-of-a', 0)] });
    next.heard('b', { sealingKeys: [] });
    expect(idsOf(told)).toEqual([['key-of-a']]);
    next.stop();
  });
});
