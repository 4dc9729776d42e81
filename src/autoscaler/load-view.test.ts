import { beforeEach, describe, expect, test } from '@jest/globals';
import { deploymentReport, replicaReport } from '../../test/support/reports.ts';
import { bucketOf } from '../channel/histogram.ts';
import type { DeploymentReport } from '../channel/messages.ts';
import { FRESH_MS, LoadView } from './load-view.ts';

let view: LoadView;
let now: number;

beforeEach(() => {
  now = 1_000_000;
  view = new LoadView(now - 60_000);
});

function entry(more: Partial<DeploymentReport> = {}): DeploymentReport {
  return deploymentReport('chat', more);
}

function report(gateway: string, ...deployments: DeploymentReport[]): void {
  view.report(gateway, { type: 'report', more: false, deployments }, () => true, now);
}

function rate(): number | undefined {
  return view.traffic('chat', now)?.requestsPerSecond;
}

describe('traffic', () => {
  test('is what came since a leader first heard of a gateway, over a minute', () => {
    view.connected('a', 'one', now);
    report('a', entry({ arrivals: 5_000 }));
    expect(rate()).toBe(0);
    now += 1_000;
    report('a', entry({ arrivals: 5_060 }));
    expect(rate()).toBe(1);
  });

  test('of a deployment that a known gateway had not mentioned before is all new', () => {
    view.connected('a', 'one', now);
    report('a');
    now += 1_000;
    report('a', entry({ arrivals: 30 }));
    expect(rate()).toBe(0.5);
  });

  test('is the sum over gateways, and ages out', () => {
    for (const gateway of ['a', 'b']) {
      view.connected(gateway, 'one', now);
      report(gateway);
      report(gateway, entry({ arrivals: 60 }));
    }
    expect(rate()).toBe(2);
    now += 61_000;
    report('a');
    expect(rate()).toBe(0);
  });

  test('counts on after a break of the connection, and anew after a restart of the gateway', () => {
    view.connected('a', 'one', now);
    report('a', entry({ arrivals: 100 }));
    view.disconnected('a');
    now += 2_000;
    view.connected('a', 'one', now);
    report('a', entry({ arrivals: 160 }));
    expect(rate()).toBe(1);
    view.connected('a', 'two', now);
    report('a', entry({ arrivals: 3 }));
    expect(rate()).toBe(1);
    report('a', entry({ arrivals: 63 }));
    expect(rate()).toBe(2);
  });

  test('has the latency of what was completed within the minute', () => {
    view.connected('a', 'one', now);
    report('a', entry({ latency: new Map([[bucketOf(60_000), 1_000]]) }));
    const latency = new Map([
      [bucketOf(60_000), 1_000],
      [bucketOf(100), 95],
      [bucketOf(900), 5],
    ]);
    report('a', entry({ latency }));
    expect(view.traffic('chat', now)?.latencyP95Ms).toBeLessThan(106);
  });

  test('is not known where nobody was heard of, which is not none', () => {
    expect(rate()).toBeUndefined();
    view.connected('a', 'one', now);
    report('a');
    expect(rate()).toBe(0);
    now += FRESH_MS + 1;
    expect(rate()).toBeUndefined();
    expect(view.silentMs(now)).toBe(FRESH_MS + 1);
  });

  test('of a deployment that nobody knows is not kept', () => {
    view.connected('a', 'one', now);
    report('a');
    view.report('a', { type: 'report', more: false, deployments: [entry({ arrivals: 60 })] }, () => false, now);
    expect(rate()).toBe(0);
  });
});

function drained(gateways: string[]): boolean {
  return view.isDrained('chat', 'pod-1', gateways, now);
}

test('the rate of a leader that is new is over what it has seen, and not known for its first moments', () => {
  view = new LoadView(now);
  view.connected('a', 'one', now);
  report('a');
  now += 14_000;
  report('a', entry({ arrivals: 700 }));
  expect(rate()).toBeUndefined();
  now += 6_000;
  report('a', entry({ arrivals: 1_000 }));
  expect(rate()).toBe(50);
});

test('a count that no gateway can have reached is bounded', () => {
  view.connected('a', 'one', now);
  report('a', entry());
  report('a', entry({ arrivals: Number.MAX_SAFE_INTEGER }));
  expect(rate()).toBeLessThan(1e6);
});

test('a report in several lines says where all its counts begin', () => {
  view.connected('a', 'one', now);
  view.report('a', { type: 'report', more: true, deployments: [] }, () => true, now);
  report('a', entry({ arrivals: 600 }));
  expect(rate()).toBe(0);
});

describe('a replica is drained', () => {
  beforeEach(() => {
    for (const gateway of ['a', 'b']) {
      view.connected(gateway, 'one', now);
      report(gateway, entry({ replicas: [replicaReport('pod-1', { draining: true })] }));
    }
  });

  test('when every gateway has said so', () => {
    expect(drained(['a', 'b'])).toBe(true);
    expect(drained([])).toBe(true);
  });

  test('but not while one has a request on it, also one that is not waited for any more', () => {
    report('b', entry({ replicas: [replicaReport('pod-1', { draining: true, inFlight: 1 })] }));
    expect([drained(['a', 'b']), drained(['a'])]).toEqual([false, false]);
    view.disconnected('b');
    expect(drained(['a'])).toBe(true);
  });

  test.each([
    ['has not seen the mark', () => report('b', entry({ replicas: [replicaReport('pod-1')] }))],
    ['says nothing of it', () => report('b', entry())],
    ['is not connected', () => view.disconnected('b')],
    ['started anew and has not reported', () => view.connected('b', 'two', now)],
    [
      'has fallen silent',
      () => {
        now += FRESH_MS + 1;
        report('a', entry({ replicas: [replicaReport('pod-1', { draining: true })] }));
      },
    ],
  ])('but not while one %s', (_, happen) => {
    happen();
    expect(drained(['a', 'b'])).toBe(false);
    expect(drained(['a'])).toBe(true);
  });

  test('but not for one that was never heard of', () => {
    expect(drained(['a', 'b', 'c'])).toBe(false);
  });
});

test('in flight and held are sums over the gateways that are connected', () => {
  for (const [gateway, inFlight] of [
    ['a', 2],
    ['b', 3],
    ['c', 50],
  ] as const) {
    view.connected(gateway, 'one', now);
    report(gateway, entry({ held: inFlight, replicas: [replicaReport('pod-1', { inFlight })] }));
  }
  view.disconnected('c');
  expect([...view.inFlight('chat')]).toEqual([['pod-1', 5]]);
  expect(view.held('chat')).toBe(5);
  view.forget('b');
  expect(view.held('chat')).toBe(2);
  view.forgetDeployment('chat');
  expect([...view.inFlight('chat')]).toEqual([]);
});

test('all gateways are heard of only while each has told its whole state, and a moment ago', () => {
  view.connected('a', 'one', now);
  view.report('a', { type: 'report', more: true, deployments: [] }, () => true, now);
  expect(view.hearsAll(['a'], now)).toBe(false);
  report('a');
  expect(view.hearsAll(['a'], now)).toBe(true);
  expect(view.hearsAll(['a', 'b'], now)).toBe(false);
  now += FRESH_MS + 1;
  expect(view.hearsAll(['a'], now)).toBe(false);
  expect(view.hearsAll([], now)).toBe(true);
});
