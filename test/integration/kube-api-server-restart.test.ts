/** The API server killed and started again under client, informer, election and events, on a control plane of its own. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KubeClient } from '../../src/kube/client.ts';
import { isGone } from '../../src/kube/errors.ts';
import { Informer } from '../../src/kube/informer.ts';
import { LeaderElector } from '../../src/kube/lease.ts';
import { startControlPlane } from '../cluster/control-plane.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { waitFor } from '../cluster/wait.ts';
import { MemoryLogger, clientOf, configMap, configMaps } from '../support/kube.ts';
import type { ConfigMap } from '../support/kube.ts';

let controlPlane: ControlPlane;
let client: KubeClient;
/** Waits for as long as production does: a server that has just started is slow. */
let direct: KubeClient;

beforeAll(async () => {
  controlPlane = await startControlPlane();
  client = clientOf(controlPlane.kubeconfig, { requestTimeoutMs: 2000 });
  direct = clientOf(controlPlane.kubeconfig);
}, 120_000);

afterAll(async () => {
  await client.close();
  await direct.close();
  await controlPlane.stop();
});

test('the cache, the leadership and the writes are there again after each of three kills', async () => {
  const informer = new Informer<ConfigMap>({
    client,
    resource: configMaps,
    namespace: 'default',
    decode: (raw) => raw,
    backoff: { baseMs: 100, maxMs: 1000 },
    logger: new MemoryLogger(),
  });
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
  const stop = new AbortController();
  const elector = new LeaderElector({
    client,
    namespace: 'default',
    name: 'leader',
    identity: 'me',
    logger: new MemoryLogger(),
  });
  // A server that is away for long ends a term, and the next one begins, as in the operator.
  const lead = async (): Promise<string> => {
    let ended: 'stopped' | 'lost' = 'lost';
    while (ended === 'lost') {
      ended = await elector.run(stop.signal, async (leadership) => {
        await new Promise((resolve) => leadership.addEventListener('abort', resolve, { once: true }));
      });
    }
    return ended;
  };
  const ended = lead();
  informer.start();
  await informer.synced(AbortSignal.timeout(30_000));
  for (const round of [1, 2, 3]) {
    const before = `before-${round}`;
    await direct.create(configMaps, configMap('default', before));
    await controlPlane.apiServer.kill('SIGKILL');
    await expect(client.get(configMaps, { namespace: 'default', name: before })).rejects.toThrow('no answer');
    await controlPlane.apiServer.start();
    await direct.delete(configMaps, { namespace: 'default', name: before });
    const created = await direct.create(configMaps, configMap('default', `after-${round}`));
    await waitFor('the cache', async () => {
      const seen = informer.get(created.metadata);
      const gone = informer.get({ namespace: 'default', name: before }) === undefined;
      return seen?.metadata.uid === created.metadata.uid && gone ? true : undefined;
    });
    await waitFor('the leadership', async () => (elector.isLeading() ? true : undefined));
  }
  // The server that was started last keeps no history from before: a watch from there is told so.
  const signal = AbortSignal.timeout(10_000);
  const past = client.watch(configMaps, { namespace: 'default', resourceVersion: '1', signal });
  await expect(past.next().catch((error: unknown) => isGone(error))).resolves.toBe(true);
  stop.abort();
  await expect(ended).resolves.toBe('stopped');
  await informer.stop();
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
}, 120_000);
