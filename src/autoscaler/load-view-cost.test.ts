/** What the load of many deployments costs the leader. Bounds are several times what is measured: see docs/design/0007. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { encode, parseReport, DEPLOYMENTS_PER_LINE, type DeploymentReport } from '../channel/messages.ts';
import { TARGETS } from '../../test/support/scaler-world.ts';
import { decide, initialState, type ScalerState } from './decide.ts';
import type { ReplicaCounts } from './observation.ts';
import { LoadView } from './load-view.ts';

const DEPLOYMENTS = 1_000;
const ACTIVE = 100;
const GATEWAYS = ['a', 'b'];
const TICKS = 4;

function countsOf(buckets: number, scale: number): Map<number, number> {
  return new Map(Array.from({ length: buckets }, (_, index) => [80 + index, (index + 1) * scale]));
}

/** What a gateway says after `rounds` reports. */
function entry(index: number, rounds: number): DeploymentReport {
  const busy = index < ACTIVE;
  const replicas = Array.from({ length: busy ? 4 : 0 }, (_, pod) => ({
    podUid: `1f6c4d5e-0000-4000-8000-${String(index).padStart(6, '0')}-${pod}`,
    inFlight: 8,
    tokens: 4_000,
    oldestMs: 900,
    draining: false,
    engine: {
      ageMs: 100,
      waiting: 0,
      kvCacheUsage: 0.4,
      totals: { ageMs: 100, running: 16, promptTokens: 1_000 * rounds, generatedTokens: 5_000 * rounds },
    },
  }));
  return {
    uid: `5d9f0000-0000-4000-8000-${String(index).padStart(12, '0')}`,
    arrivals: 100 * rounds,
    completed: 90 * rounds,
    failed: 0,
    cancelled: 0,
    latency: countsOf(60, rounds),
    firstByte: countsOf(40, rounds),
    held: 0,
    oldestHeldMs: 0,
    ages: busy ? countsOf(20, 1) : new Map(),
    replicas,
  };
}

/** The lines of one report, of deployments below `count`. */
function lines(count: number, rounds: number): string[] {
  const all = Array.from({ length: count }, (_, index) => entry(index, rounds));
  const parts = Math.ceil(count / DEPLOYMENTS_PER_LINE);
  return Array.from({ length: parts }, (_, part) =>
    encode({
      type: 'report',
      more: part < parts - 1,
      deployments: all.slice(part * DEPLOYMENTS_PER_LINE, (part + 1) * DEPLOYMENTS_PER_LINE),
    }),
  );
}

function take(view: LoadView, text: readonly string[], now: number): void {
  for (const gateway of GATEWAYS) {
    for (const line of text) view.report(gateway, parseReport(line), () => true, now);
  }
}

/** Milliseconds of processor time: those on the clock depend on who else is at work. */
function spentMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

const REPLICAS: ReplicaCounts = {
  current: 2,
  ready: 2,
  pending: 0,
  blocked: 0,
  blockedBy: undefined,
  startTimesMs: [],
};
const states = new Map<string, ScalerState>();

/** Milliseconds that a tick of the scaler takes, which looks at what is active only and decides on it. */
function tick(view: LoadView, now: number): { milliseconds: number; seen: number } {
  let seen = 0;
  const milliseconds = spentMs(() => {
    for (const uid of view.active(now)) {
      const traffic = view.takeSample(uid, GATEWAYS, now);
      if (traffic !== undefined && traffic.inFlight > 0) seen += 1;
      const before = states.get(uid) ?? initialState(TARGETS, 2, {}, now);
      states.set(uid, decide(before, { traffic, replicas: REPLICAS }, TARGETS, now).state);
    }
  });
  return { milliseconds, seen };
}

/** Of what is still in use, in MiB. */
function heapMiB(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

test('1,000 deployments of two gateways, 100 of them active', () => {
  let now = 1_000_000;
  const before = heapMiB();
  const view = new LoadView(now);
  for (const gateway of GATEWAYS) view.connected(gateway, 'one', now);
  const full = lines(DEPLOYMENTS, 1);
  const fullMs = spentMs(() => take(view, full, now));
  const ticks = [tick(view, now)];
  for (let second = 1; second <= 5 * TICKS; second += 1) {
    now += 1_000;
    take(view, lines(ACTIVE, 1 + second), now);
    if (second % 5 === 0) ticks.push(tick(view, now));
  }
  expect(ticks.map(({ seen }) => seen)).toEqual(ticks.map(() => ACTIVE));
  // Several times what it takes on a machine that has nothing else to do.
  expect(fullMs).toBeLessThan(1_000);
  // Of the scaler: decisions are included.
  expect(Math.max(...ticks.map(({ milliseconds }) => milliseconds))).toBeLessThan(200);
  expect(heapMiB() - before).toBeLessThan(100);

  // All come to rest: what is left costs nothing, however many deployments there are.
  now += 60_000;
  expect(tick(view, now).seen).toBe(0);
  const restedMs = spentMs(() => {
    for (let round = 0; round < 1_000; round += 1) view.active(now);
  });
  expect(restedMs / 1_000).toBeLessThan(0.1);
});
