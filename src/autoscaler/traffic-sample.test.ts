/** What the scaler reads of a LoadView. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { deploymentReport, replicaReport } from '../../test/support/reports.ts';
import { bucketOf } from '../channel/histogram.ts';
import type { DeploymentReport, ReplicaReport } from '../channel/messages.ts';
import { FRESH_MS, LoadView } from './load-view.ts';
import { TICK_MS, type TrafficSample } from './observation.ts';
import { ACTIVE_MS } from './recent-loads.ts';

const BOTH = ['a', 'b'];
const SECOND = bucketOf(1_000);

let view: LoadView;
let now: number;
let awaited: string[];

/** The view is of an hour ago, and both gateways have been heard of since. */
beforeEach(() => {
  now = 1_000_000;
  awaited = BOTH;
  view = new LoadView(now - 3_600_000);
  for (const gateway of BOTH) {
    view.connected(gateway, 'one', now - 3_600_000);
    view.report(gateway, { type: 'report', more: false, deployments: [] }, () => true, now - 3_600_000);
  }
  quiet();
});

function entry(more: Partial<DeploymentReport> = {}): DeploymentReport {
  return deploymentReport('chat', more);
}

function report(gateway: string, ...deployments: DeploymentReport[]): void {
  view.report(gateway, { type: 'report', more: false, deployments }, () => true, now);
}

/** All gateways say that they live. */
function quiet(): void {
  for (const gateway of BOTH) report(gateway);
}

function take(): TrafficSample | undefined {
  return view.takeSample('chat', awaited, now);
}

describe('counts', () => {
  test('are what came since the last reading, over all gateways', () => {
    report('a', entry({ arrivals: 10, latency: new Map([[SECOND, 4]]) }));
    expect(take()).toMatchObject({ arrivals: 10, latency: new Map([[SECOND, 4]]) });
    now += 3_000;
    report('a', entry({ arrivals: 13, latency: new Map([[SECOND, 6]]) }));
    report('b', entry({ arrivals: 5, latency: new Map([[SECOND, 1]]) }));
    now += 2_000;
    quiet();
    expect(take()).toMatchObject({ intervalMs: 5_000, arrivals: 8, latency: new Map([[SECOND, 3]]) });
    expect(take()).toMatchObject({ arrivals: 0, latency: new Map() });
  });

  test('of the first moment after a time at rest are over the time before it, which had none', () => {
    report('a', entry({ arrivals: 1, held: 1, oldestHeldMs: 5, ages: new Map([[3, 1]]) }));
    expect(take()).toMatchObject({ intervalMs: TICK_MS, arrivals: 1, held: 1, inFlight: 1, oldestHeldMs: 5 });
    now += 200;
    expect(take()).toMatchObject({ intervalMs: 200, arrivals: 0 });
  });

  test('of none are data', () => {
    expect(take()).toEqual({
      intervalMs: TICK_MS,
      arrivals: 0,
      latency: new Map(),
      ages: new Map(),
      inFlight: 0,
      held: 0,
      oldestHeldMs: 0,
      engines: [],
    });
  });

  test('go on over a break of the connection', () => {
    report('a', entry({ arrivals: 10 }));
    take();
    view.disconnected('a');
    now += 1_000;
    expect(take()).toBeDefined();
    view.connected('a', 'one', now);
    report('a', entry({ arrivals: 14 }));
    expect(take()).toMatchObject({ arrivals: 4 });
  });

  test('wait while a gateway is silent, and come with the time that they took', () => {
    report('a', entry({ arrivals: 10, ages: new Map([[3, 1]]) }));
    take();
    for (let second = 0; second < 8; second += 1) {
      now += 1_000;
      report('b', entry({ arrivals: second + 1 }));
    }
    expect(take()).toBeUndefined();
    report('a', entry({ arrivals: 30 }));
    expect(take()).toMatchObject({ intervalMs: 8_000, arrivals: 28 });
  });
});

describe('nothing is known', () => {
  test('while one that may hold requests is silent, whatever the other says', () => {
    now += FRESH_MS + 1;
    report('a', entry({ arrivals: 10 }));
    expect(take()).toBeUndefined();
    awaited = ['a'];
    expect(take()).toMatchObject({ arrivals: 10 });
  });

  test('while one was not heard of yet, in part or at all', () => {
    awaited = ['a', 'b', 'c'];
    expect(take()).toBeUndefined();
    view.connected('c', 'one', now);
    expect(take()).toBeUndefined();
    view.report('c', { type: 'report', more: true, deployments: [] }, () => true, now);
    expect(take()).toBeUndefined();
    report('c');
    expect(take()).toBeDefined();
  });

  test('where there is no gateway', () => {
    awaited = [];
    view.forget('a');
    view.forget('b');
    expect(take()).toBeUndefined();
  });
});

describe('a gateway', () => {
  test('that was lost takes its requests with it and leaves what it had counted', () => {
    report('a', entry({ arrivals: 10, ages: new Map([[3, 7]]), held: 2 }));
    report('b', entry({ arrivals: 1, ages: new Map([[5, 1]]) }));
    view.forget('a');
    awaited = ['b'];
    expect(take()).toMatchObject({ arrivals: 11, inFlight: 1, held: 0, ages: new Map([[5, 1]]) });
    now += 1_000;
    report('b', entry({ arrivals: 2, ages: new Map([[5, 1]]) }));
    expect(take()).toMatchObject({ arrivals: 1, inFlight: 1 });
  });

  test('that is silent and holds nothing that is waited for is left out', () => {
    report('a', entry({ ages: new Map([[3, 7]]) }));
    now += FRESH_MS + 1;
    report('b', entry());
    awaited = ['b'];
    expect(take()).toMatchObject({ inFlight: 0 });
  });

  test('that was started anew counts from its first word, and what all counted before that is over another time', () => {
    report('a', entry({ arrivals: 1_000 }));
    report('b', entry({ arrivals: 50 }));
    take();
    now += 4_000;
    report('b', entry({ arrivals: 58 }));
    view.connected('a', 'two', now);
    expect(take()).toBeUndefined();
    report('a', entry({ arrivals: 3 }));
    now += 2_000;
    report('a', entry({ arrivals: 5 }));
    report('b', entry({ arrivals: 61 }));
    expect(take()).toMatchObject({ intervalMs: 2_000, arrivals: 5 });
  });

  test('of a leader that is new begins with its first word', () => {
    view = new LoadView(now);
    for (const gateway of BOTH) view.connected(gateway, 'one', now);
    report('a', entry({ arrivals: 1_000, ages: new Map([[3, 2]]), latency: new Map([[SECOND, 900]]) }));
    now += 500;
    report('b', entry({ arrivals: 2_000 }));
    now += 1_000;
    report('a', entry({ arrivals: 1_007, ages: new Map([[3, 2]]), latency: new Map([[SECOND, 901]]) }));
    expect(take()).toMatchObject({ intervalMs: 1_000, arrivals: 7, inFlight: 2, latency: new Map([[SECOND, 1]]) });
  });
});

describe('deployments that are not at rest', () => {
  test('are those with requests now or within the last ticks', () => {
    expect(view.active(now)).toEqual([]);
    report('a', entry({ uid: 'one', arrivals: 1 }), entry({ uid: 'two', ages: new Map([[3, 1]]) }), entry());
    expect(view.active(now)).toEqual(['one', 'two']);
    now += ACTIVE_MS;
    report('a', entry({ uid: 'one', arrivals: 2 }));
    expect(view.active(now)).toEqual(['two', 'one']);
    now += 1;
    expect(view.active(now)).toEqual(['one']);
    now += ACTIVE_MS;
    expect(view.active(now)).toEqual([]);
  });

  test('are not those that have gone', () => {
    report('a', entry({ arrivals: 1 }));
    view.forgetDeployment('chat');
    expect(view.active(now)).toEqual([]);
  });
});

function replica(podUid: string, inFlight: number, counted?: { generated: number; ageMs?: number }): ReplicaReport {
  const totals = counted && {
    ageMs: counted.ageMs ?? 0,
    running: 1,
    promptTokens: 0,
    generatedTokens: counted.generated,
  };
  const engine = totals && { ageMs: totals.ageMs, waiting: 0, kvCacheUsage: 0.5, totals };
  return replicaReport(podUid, { inFlight, ...(engine && { engine }) });
}

function busy(...replicas: ReplicaReport[]): DeploymentReport {
  return entry({ ages: new Map([[3, 1]]), replicas });
}

describe('engines', () => {
  test('are merged over gateways, whichever of them read one', () => {
    report('a', busy(replica('pod-1', 3, { generated: 100 }), replica('pod-2', 1, { generated: 5 })));
    report('b', busy(replica('pod-1', 2)));
    take();
    now += 4_000;
    quiet();
    report('b', busy(replica('pod-1', 2, { generated: 500 })));
    expect(take()?.engines).toEqual([
      {
        podUid: 'pod-1',
        running: 5,
        waiting: 0,
        kvCacheUsage: 0.5,
        promptTokens: 0,
        generatedTokens: 400,
        intervalMs: 4_000,
      },
    ]);
  });

  test('work for batches is told apart, and is no request of a client', () => {
    const mixed = (generated: number): ReplicaReport => ({ ...replica('pod-1', 4, { generated }), batchInFlight: 3 });
    report('a', busy(mixed(100)));
    take();
    now += 4_000;
    report('b', busy({ ...replica('pod-1', 4), batchInFlight: 3 }));
    report('a', busy(mixed(500)));
    expect(take()).toMatchObject({ inFlight: 2, batchInFlight: 6, engines: [{ running: 4, batchShare: 0.75 }] });
    expect(view.inFlight('chat')).toEqual(new Map([['pod-1', 8]]));
  });

  test('of gateways of before, which say nothing of them, are none', () => {
    report('a', busy(replica('pod-1', 3)));
    expect(take()).toMatchObject({ inFlight: 1, engines: [] });
  });

  test('are still counted after the last request, and forgotten when nobody speaks of them', () => {
    report('a', busy(replica('pod-1', 3, { generated: 100 })));
    take();
    now += 5_000;
    report('a', entry({ replicas: [replica('pod-1', 0, { generated: 160 })] }));
    quiet();
    expect(take()?.engines).toMatchObject([{ generatedTokens: 60 }]);
    now += ACTIVE_MS + 1;
    report('a', entry({ arrivals: 1 }));
    quiet();
    take();
    now += 1_000;
    report('a', entry({ arrivals: 1, replicas: [replica('pod-1', 0, { generated: 900 })] }));
    quiet();
    expect(take()?.engines).toEqual([]);
  });
});
