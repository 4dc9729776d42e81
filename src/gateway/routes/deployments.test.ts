/** Deployments as a real gateway shows them, and the stream of what changes. */
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { moveClock, stopTimers } from '../../../test/support/clock.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { inferenceDeployment } from '../../../test/support/resources.ts';
import { EventStream, ViewBed, type ViewGateway } from '../../../test/support/view-bed.ts';
import type { InferenceDeployment, InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import type { LiveDeployment, LiveSample } from '../../channel/messages.ts';
import type { Detail, Summary } from '../view/shapes.ts';

let bed: ViewBed;
let gateway: ViewGateway;
let streams: EventStream[];
let sockets: Socket[];

beforeEach(async () => {
  bed = new ViewBed();
  streams = [];
  sockets = [];
  gateway = await bed.start();
});

afterEach(async () => {
  jest.useRealTimers();
  for (const stream of streams) stream.close();
  for (const socket of sockets) socket.destroy();
  await bed.close();
});

function deployment(
  name: string,
  more: { namespace?: string; spec?: Partial<InferenceDeploymentSpec>; ready?: number; uid?: string } = {},
): InferenceDeployment {
  const { namespace = 'team-a', spec, ready = 1, uid = `uid-${namespace}-${name}` } = more;
  const pods = [{ name: `${name}-1`, uid: `${uid}-pod`, readiness: 'Ready', node: 'gpu-1' }];
  return {
    metadata: { name, namespace, uid, creationTimestamp: '2026-11-22T10:00:00Z' },
    spec: inferenceDeployment(spec).spec,
    status: { replicas: { ready, pods }, cost: { currency: 'USD', perHour: '7.36' } },
  };
}

function sample(more: Partial<LiveSample> = {}): LiveSample {
  return {
    timeMs: 1_800_000_000_000,
    requestsPerSecond: 2,
    inFlight: 3,
    queued: 0,
    replicasReady: 1,
    replicasDesired: 1,
    ...more,
  };
}

/** The leader tells this of deployments, in answer to what is looked at. */
function tell(...deployments: LiveDeployment[]): void {
  gateway.live.heard({ type: 'heartbeat', live: { watch: gateway.live.watch.version, more: false, deployments } });
}

async function get(path: string, key: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${gateway.url}/v1${path}`, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, body: await response.json() };
}

async function detail(path: string, key: string): Promise<Detail> {
  return (await get(`/deployments/${path}`, key)).body as Detail;
}

const idsOf = (list: unknown): string[] => (list as { data: Summary[] }).data.map(({ id }) => id);

async function follow(key: string, query = '', at: ViewGateway = gateway): Promise<EventStream> {
  const url = `${at.url}/v1/deployments/events${query}`;
  const stream = await EventStream.open(url, { authorization: `Bearer ${key}` });
  streams.push(stream);
  return stream;
}

/** Follows, and returns the stream once it has said what there is. */
async function followed(key: string, query = ''): Promise<EventStream> {
  const stream = await follow(key, query);
  await eventually(() => expect(stream.of('list')).toHaveLength(1));
  return stream;
}

const changesOf = (stream: EventStream): string[] => stream.of('changed').flatMap(idsOf);

describe('GET /deployments', () => {
  test('shows a key what it reaches, by the ids that it sends', async () => {
    bed.inferenceDeployments.put(deployment('b'));
    bed.inferenceDeployments.put(deployment('a'));
    bed.inferenceDeployments.put(deployment('shared', { namespace: 'team-b', spec: { allowKeysFrom: ['team-a'] } }));
    bed.inferenceDeployments.put(deployment('secret', { namespace: 'team-b' }));
    const key = bed.addKey('web');
    expect(idsOf((await get('/deployments', key)).body)).toEqual(['a', 'b', 'team-b/shared']);
    const narrow = bed.addKey('narrow', { deployments: ['b'] });
    expect(idsOf((await get('/deployments', narrow)).body)).toEqual(['b']);
    expect((await detail('team-b/shared', key)).name).toBe('shared');
    for (const [path, asked] of [
      ['/deployments/team-b/secret', key],
      ['/deployments/a', narrow],
      ['/deployments/none', key],
    ] as const) {
      expect(await get(path, asked)).toMatchObject({ status: 404, body: { error: { code: 'model_not_found' } } });
    }
  });

  test('needs scope view, and shows prices and nodes to admins only', async () => {
    bed.inferenceDeployments.put(deployment('a'));
    expect((await get('/deployments', bed.addKey('robot', { scopes: ['inference'] }))).status).toBe(403);
    const plain = await detail('a', bed.addKey('web'));
    expect([plain.cost, plain.replica_list[0]?.node]).toEqual([null, null]);
    const full = await detail('a', bed.addKey('boss', { scopes: ['admin'] }));
    expect(full.cost).toEqual({ currency: 'USD', per_hour: '7.36', per_day: '176.64', per_million_tokens: null });
    expect(full.replica_list[0]?.node).toBe('gpu-1');
  });

  test('has no live figures without a leader, and those of the leader once it answers', async () => {
    bed.inferenceDeployments.put(deployment('a'));
    const key = bed.addKey('web');
    expect((await detail('a', key)).live).toBeNull();
    gateway.live.leaders = 1;
    tell();
    bed.inferenceDeployments.put(deployment('b'));
    const asked = detail('b', key);
    await eventually(() => expect(gateway.live.watch.details).toContain('uid-team-a-b'));
    const replicas = [{ podUid: 'uid-team-a-b-pod', inFlight: 3, waiting: 1, kvCacheUsage: 0.5 }];
    tell({ uid: 'uid-team-a-b', sample: sample(), replicas });
    const shown = await asked;
    expect(shown.live).toMatchObject({ time: 1_800_000_000, requests_per_second: 2, in_flight: 3 });
    expect(shown.replica_list[0]).toMatchObject({ in_flight: 3, waiting: 1, kv_cache_usage: 0.5 });
  });
});

describe('GET /deployments/events', () => {
  test('tells all, then what changes and what goes, and never of what the key may not see', async () => {
    bed.inferenceDeployments.put(deployment('a'));
    const shared = { namespace: 'team-b', spec: { allowKeysFrom: ['team-a'] } };
    bed.inferenceDeployments.put(deployment('shared', shared));
    const stream = await followed(bed.addKey('web'));
    expect(idsOf(stream.of('list')[0])).toEqual(['a', 'team-b/shared']);
    bed.inferenceDeployments.put(deployment('secret', { namespace: 'team-b' }));
    bed.inferenceDeployments.put(deployment('a', { ready: 2 }));
    bed.inferenceDeployments.put(deployment('new'));
    await eventually(() => expect(changesOf(stream).toSorted()).toEqual(['a', 'new']));
    // Its owner closes it again, and another is deleted and made again within the second.
    bed.inferenceDeployments.put(deployment('shared', { namespace: 'team-b' }));
    bed.inferenceDeployments.remove(deployment('new'));
    await eventually(() => expect(stream.of('removed')).not.toEqual([]));
    expect(stream.of('removed')).toEqual([{ ids: ['team-b/shared', 'new'] }]);
    bed.inferenceDeployments.remove(deployment('a'));
    bed.inferenceDeployments.put(deployment('a', { uid: 'another', ready: 5 }));
    await eventually(() => expect(changesOf(stream)).toHaveLength(3));
    expect(stream.of('removed')).toHaveLength(1);
    expect(JSON.stringify(stream.events)).not.toContain('secret');
  });

  test('tells a deployment in full with its history, and its figures as they come', async () => {
    bed.inferenceDeployments.put(deployment('a'));
    gateway.live.leaders = 1;
    tell();
    const stream = await follow(bed.addKey('web'), '?id=a');
    await eventually(() => expect(gateway.live.watch.details).toEqual(['uid-team-a-a']));
    const history = [sample({ timeMs: 1_000, requestsPerSecond: 1 })];
    tell({ uid: 'uid-team-a-a', sample: sample({ timeMs: 60_000 }), replicas: [], history });
    await eventually(() => expect(stream.of('sample')).toHaveLength(1));
    expect(stream.events.map(({ name }) => name)).toEqual(['list', 'detail', 'history', 'sample']);
    expect(stream.of('history')).toMatchObject([{ id: 'a', samples: [{ time: 1 }, { time: 60 }] }]);
    tell({ uid: 'uid-team-a-a', sample: sample({ timeMs: 61_000, inFlight: 9 }), replicas: [] });
    await eventually(() => expect(stream.of('sample')).toMatchObject([{}, { id: 'a', sample: { in_flight: 9 } }]));
    // Nothing but its figures changed; those come with the list, too.
    expect(stream.of('detail')).toHaveLength(1);
    expect(stream.of('changed')).toMatchObject([{ data: [{ live: { in_flight: 9 } }] }]);
    bed.inferenceDeployments.put(deployment('a', { ready: 0 }));
    await eventually(() => expect(stream.of('detail')).toMatchObject([{}, { replicas: { ready: 0 } }]));
  });

  test('puts what many readers are told into words once', async () => {
    const [one, other] = [bed.addKey('web'), bed.addKey('other')];
    // One tick, and no other while the words are written.
    stopTimers('Interval');
    const readers = [await followed(one), await followed(one), await followed(other)];
    const looks = jest.spyOn(gateway.live, 'live');
    for (let index = 0; index < 150; index += 1) bed.inferenceDeployments.put(deployment(`d${index}`));
    jest.advanceTimersByTime(1_000);
    for (const reader of readers) await eventually(() => expect(changesOf(reader)).toHaveLength(150));
    expect(looks).toHaveBeenCalledTimes(150);
    // And anew when one changes, also for who comes within the second.
    bed.inferenceDeployments.put(deployment('d7', { ready: 9 }));
    const [list] = (await followed(bed.addKey('late'))).of('list') as { data: Summary[] }[];
    expect(list?.data.find(({ id }) => id === 'd7')?.replicas.ready).toBe(9);
  });

  test('of what the key may not see is refused', async () => {
    bed.inferenceDeployments.put(deployment('secret', { namespace: 'team-b' }));
    expect((await follow(bed.addKey('web'), '?id=team-b/secret')).status).toBe(404);
  });

  test.each([
    ['is disabled', () => bed.changeKey('web', { disabled: true })],
    ['may see something else', () => bed.changeKey('web', { deployments: ['b'] })],
    ['is deleted', () => bed.apiKeys.remove({ metadata: { namespace: 'team-a', name: 'web' } } as never)],
    ['is over', () => bed.changeKey('web', { expiresAt: '2020-01-01T00:00:00Z' })],
  ])('ends where its key %s', async (_, change) => {
    const [stream, other] = [await followed(bed.addKey('web')), await followed(bed.addKey('other'))];
    change();
    await eventually(() => expect(stream.ended).toBe(true));
    expect(other.ended).toBe(false);
  });

  test('ends by itself when the time of its key is up', async () => {
    const expiresAt = new Date(Date.now() + 600_000).toISOString();
    const [stream, other] = [await followed(bed.addKey('web', { expiresAt })), await followed(bed.addKey('other'))];
    expect(stream.ended).toBe(false);
    moveClock(600_000);
    await eventually(() => expect(stream.ended).toBe(true));
    expect(other.ended).toBe(false);
  });

  test('ends when the gateway leaves, and shows now and then that it lives', async () => {
    await bed.close();
    gateway = await bed.start({ viewHeartbeatMs: 50 });
    const stream = await followed(bed.addKey('web'));
    await eventually(() => expect(stream.comments).toBeGreaterThan(2));
    gateway.leave();
    await eventually(() => expect(stream.ended).toBe(true));
  });

  test('is open so many times of a key, and of all, and free again afterwards', async () => {
    gateway = await bed.start({ viewersOfKey: 2, viewers: 3 });
    const [key, other] = [bed.addKey('web'), bed.addKey('other')];
    await followed(key);
    const second = await followed(key);
    expect((await follow(key)).status).toBe(429);
    await followed(other);
    expect((await follow(other)).status).toBe(503);
    second.close();
    await eventually(async () => expect((await follow(other)).status).toBe(200));
    // What nobody follows any more is not looked at for ever.
    expect(gateway.live.watch.namespaces).toEqual(['team-a']);
  });

  test('cuts who does not read, keeps little for it, and does not hold up the others', async () => {
    gateway = await bed.start({ clientStallMs: 500 });
    const key = bed.addKey('web');
    const message = 'x'.repeat(4_000);
    const put = (ready: number): void => {
      for (let index = 0; index < 300; index += 1) {
        const one = deployment(`d${index}`, { ready });
        const conditions = [
          { type: 'Ready', status: 'True' as const, reason: 'Serving', message, lastTransitionTime: '' },
        ];
        bed.inferenceDeployments.put({ ...one, status: { ...one.status, conditions } });
      }
    };
    put(0);
    const reader = await followed(key);
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(`GET /v1/deployments/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`);
    socket.pause();
    for (let ready = 1; !socket.destroyed && ready < 100; ready += 1) {
      put(ready);
      const seen = changesOf(reader).length;
      await eventually(() => expect(changesOf(reader).length).toBeGreaterThan(seen));
      // A socket that is paused learns of its end by writing.
      socket.write('\r\n');
    }
    expect(socket.destroyed).toBe(true);
    expect(reader.ended).toBe(false);
  }, 60_000);
});
