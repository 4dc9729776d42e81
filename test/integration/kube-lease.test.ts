/** Leader election with two electors on a real API server. Times are two fifths of those in production. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { KubeClient } from '../../src/kube/client.ts';
import { WritesEnded } from '../../src/kube/errors.ts';
import { LeaderElector, formatMicroTime, leases } from '../../src/kube/lease.ts';
import { waitFor } from '../cluster/wait.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { MemoryLogger, clientOf, configMap, configMaps, createNamespace, sharedKubeconfig } from '../support/kube.ts';

/** Long enough that a machine that stands still for two seconds costs nobody the lease. */
const TIMES = { leaseDurationMs: 6000, renewDeadlineMs: 4000, retryPeriodMs: 800 };
const ref = { namespace: '', name: 'leader' };

/** One process that wants to lead; it writes a ConfigMap every 20 ms for as long as it may. */
interface Candidate {
  identity: string;
  proxy: FaultProxy;
  client: KubeClient;
  stop: AbortController;
  result: Promise<'stopped' | 'lost'>;
  elector: LeaderElector;
  /** performance.now() of each write that the server accepted. */
  acceptedAt: number[];
  /** How many of them when the leadership was to end. */
  acceptedBeforeEnd: number;
  writesEnded: boolean;
}

let direct: KubeClient;
let candidates: Candidate[];

beforeAll(() => {
  direct = clientOf(sharedKubeconfig());
});

afterAll(async () => {
  await direct.close();
});

beforeEach(async () => {
  ref.namespace = await createNamespace(direct, 'lease');
  await direct.create(configMaps, configMap(ref.namespace, 'work'));
  candidates = [];
});

afterEach(async () => {
  for (const candidate of candidates) {
    candidate.stop.abort();
    await candidate.proxy.up().catch(() => undefined);
    await candidate.result;
    await candidate.client.close();
    await candidate.proxy.stop();
  }
});

async function startCandidate(identity: string, clock?: () => number): Promise<Candidate> {
  const proxy = await startFaultProxy({ upstream: sharedKubeconfig() });
  const client = clientOf(proxy.kubeconfig);
  const options = { ...TIMES, ...ref, client, identity, logger: new MemoryLogger(), ...(clock && { clock }) };
  const elector = new LeaderElector(options);
  const stop = new AbortController();
  const candidate: Candidate = {
    identity,
    proxy,
    client,
    stop,
    elector,
    acceptedAt: [],
    acceptedBeforeEnd: 0,
    writesEnded: false,
    result: Promise.resolve('stopped'),
  };
  candidate.result = elector.run(stop.signal, async (leadership, lost) => await work(candidate, leadership, lost));
  candidates.push(candidate);
  return candidate;
}

async function work(candidate: Candidate, leadership: AbortSignal, lost: AbortSignal): Promise<void> {
  const writer = candidate.client.writesUntil(lost, candidate.elector.isLeading);
  const write = async (): Promise<void> => {
    const data = { writer: candidate.identity };
    try {
      await writer.patch(configMaps, { ...ref, name: 'work' }, { data }, { type: 'merge' });
      candidate.acceptedAt.push(performance.now());
    } catch (error) {
      candidate.writesEnded = error instanceof WritesEnded;
    }
  };
  while (!leadership.aborted) {
    await write();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // The work that a graceful end still finishes.
  candidate.acceptedBeforeEnd = candidate.acceptedAt.length;
  await write();
}

async function leads(candidate: Candidate): Promise<void> {
  await waitFor(`${candidate.identity} leading`, async () => (candidate.elector.isLeading() ? true : undefined), {
    // Where a Lease says days it takes four times its duration.
    timeoutMs: 45_000,
    intervalMs: 10,
  });
}

async function holder(): Promise<string | undefined> {
  return (await direct.get(leases, ref))?.spec?.holderIdentity;
}

/** True when no write of `first` was accepted after the first one of `second`. */
function expectNoOverlap(first: Candidate, second: Candidate): void {
  expect(first.acceptedAt.length).toBeGreaterThan(0);
  expect(second.acceptedAt.length).toBeGreaterThan(0);
  expect(first.acceptedAt.at(-1)).toBeLessThan(second.acceptedAt[0] ?? 0);
}

async function writes(candidate: Candidate): Promise<void> {
  const before = candidate.acceptedAt.length;
  await waitFor(
    `${candidate.identity} writing`,
    async () => (candidate.acceptedAt.length > before ? true : undefined),
    { intervalMs: 10 },
  );
}

describe('two candidates', () => {
  test('one leads, and the other takes over at once after an orderly end', async () => {
    const first = await startCandidate('first');
    await leads(first);
    const second = await startCandidate('second');
    await writes(first);
    expect(second.elector.isLeading()).toBe(false);
    first.stop.abort();
    await expect(first.result).resolves.toBe('stopped');
    expect(first.acceptedAt.length).toBe(first.acceptedBeforeEnd + 1);
    const stoppedAt = performance.now();
    await leads(second);
    // Sooner than the lease can expire.
    expect(performance.now() - stoppedAt).toBeLessThan(TIMES.leaseDurationMs - 2 * TIMES.retryPeriodMs);
    await writes(second);
    expectNoOverlap(first, second);
    expect((await direct.get(leases, ref))?.spec?.leaseTransitions).toBe(1);
  });

  test('a leader cut off from the server stops writing before the other begins', async () => {
    const first = await startCandidate('first');
    await leads(first);
    const second = await startCandidate('second');
    await writes(first);
    await first.proxy.down();
    await leads(second);
    await expect(first.result).resolves.toBe('lost');
    await writes(second);
    expect(first.writesEnded).toBe(true);
    expectNoOverlap(first, second);
  });

  test('writes that hang in a silent connection are cut off with the leadership', async () => {
    const first = await startCandidate('first');
    await leads(first);
    await writes(first);
    first.proxy.rule({ match: {}, action: { type: 'blackhole' } });
    const startedAt = performance.now();
    await expect(first.result).resolves.toBe('lost');
    // The client gives such a request 30 s.
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(first.writesEnded).toBe(true);
  });

  test('errors of the server are survived when a renewal gets through in time', async () => {
    const first = await startCandidate('first');
    await leads(first);
    const errors = first.proxy.rule({
      match: { resource: 'leases' },
      times: 2,
      action: { type: 'error', status: 500 },
    });
    await waitFor('the errors', async () => (errors.hits === 2 ? true : undefined), { intervalMs: 10 });
    const renewals = first.proxy.writes({ resource: 'leases' }).length;
    await waitFor('a renewal', async () =>
      first.proxy.writes({ resource: 'leases' }).length > renewals ? true : undefined,
    );
    expect(first.elector.isLeading()).toBe(true);
  });

  test.each([
    ['behind', -3_600_000],
    ['ahead', 3_600_000],
  ])('a holder whose clock is an hour %s keeps the lease while it renews, and no longer', async (_title, skewMs) => {
    const renew = (): { spec: object } => {
      const renewTime = formatMicroTime(new Date(Date.now() + skewMs));
      return { spec: { holderIdentity: 'skewed', leaseDurationSeconds: 1, renewTime } };
    };
    await direct.create(leases, { metadata: { ...ref }, ...renew() });
    const candidate = await startCandidate('candidate');
    const until = performance.now() + 1.5 * TIMES.leaseDurationMs;
    while (performance.now() < until) {
      await direct.patch(leases, ref, renew(), { type: 'merge' });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(candidate.elector.isLeading()).toBe(false);
    expect(candidate.proxy.writes()).toEqual([]);
    await leads(candidate);
  });
});

describe('a Lease that people touch', () => {
  test('deleted: the leader makes it again and goes on, the other does not take it', async () => {
    const first = await startCandidate('first');
    await leads(first);
    const second = await startCandidate('second');
    await waitFor('the second looking', async () => second.proxy.requests({ verb: 'get' })[1]);
    await direct.delete(leases, ref);
    await waitFor('the Lease', async () => await direct.get(leases, ref));
    await expect(holder()).resolves.toBe('first');
    await writes(first);
    expect(second.acceptedAt).toEqual([]);
  });

  test('given to someone else: the leader stops, and the Lease is taken when that one never renews', async () => {
    const first = await startCandidate('first');
    await leads(first);
    await direct.patch(leases, ref, { spec: { holderIdentity: 'nobody' } }, { type: 'merge' });
    await expect(first.result).resolves.toBe('lost');
    expect(first.writesEnded).toBe(true);
    const second = await startCandidate('second');
    await leads(second);
    await expect(holder()).resolves.toBe('second');
  });

  test.each<[string, () => Promise<unknown>]>([
    ['deleted', async () => await direct.delete(leases, ref)],
    [
      'with its holder emptied',
      async () => await direct.patch(leases, ref, { spec: { holderIdentity: '' } }, { type: 'merge' }),
    ],
  ])('%s while the leader cannot see it: the other waits until that one must have stopped', async (_title, touch) => {
    const first = await startCandidate('first');
    await leads(first);
    const second = await startCandidate('second');
    await waitFor('the second looking', async () => second.proxy.requests({ verb: 'get' })[1]);
    first.proxy.rule({ match: { resource: 'leases' }, action: { type: 'blackhole' } });
    await touch();
    await leads(second);
    await writes(second);
    await expect(first.result).resolves.toBe('lost');
    expectNoOverlap(first, second);
  });

  test('with a duration of days: it is taken all the same when its holder is gone', async () => {
    const spec = { holderIdentity: 'gone', leaseDurationSeconds: 864_000 };
    await direct.create(leases, { metadata: { ...ref }, spec });
    const first = await startCandidate('first');
    await leads(first);
    await expect(holder()).resolves.toBe('first');
  });
});

test('a process that was stopped for longer than the lease writes nothing after it continues', async () => {
  let pausedMs = 0;
  const first = await startCandidate('first', () => performance.now() + pausedMs);
  await leads(first);
  await writes(first);
  // What SIGSTOP and SIGCONT do: the clock has moved on, and no timer has fired yet.
  pausedMs = 60_000;
  const before = first.proxy.writes({ resource: 'configmaps' }).length;
  await expect(first.result).resolves.toBe('lost');
  // The one that was in flight may still arrive.
  expect(first.proxy.writes({ resource: 'configmaps' }).length - before).toBeLessThanOrEqual(1);
});

test('what the leader throws ends its leadership, releases the Lease and reaches the caller', async () => {
  const elector = new LeaderElector({
    ...TIMES,
    ...ref,
    client: direct,
    identity: 'failing',
    logger: new MemoryLogger(),
  });
  const run = elector.run(new AbortController().signal, async () => await Promise.reject(new Error('a bug')));
  await expect(run).rejects.toThrow('a bug');
  await expect(holder()).resolves.toBe('');
});
