/**
 * The operator is killed (SIGKILL) before and after each of its writes, and the API server after each: every run must
 * end in the state of the run without faults, with the same number of objects made and deleted.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubeClient } from '../../src/kube/client.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { FakeKubelet, servingStatus } from '../support/fake-kubelet.ts';
import { clientOf, createNamespace } from '../support/kube.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { installApi, OPERATOR_ACCOUNT } from '../support/product.ts';
import { childSpecs, createDeployment, History, readyReason } from '../support/scenario.ts';
import { WRITE_VERBS } from './proxy-request.ts';
import type { Action } from './proxy-rules.ts';
import { startFaultProxy, type FaultProxy } from './proxy.ts';

interface Outcome {
  /** Objects that appeared and went, as a watch saw them. */
  counts: Record<string, number>;
  /** What the operator's writes made and deleted, as the proxy saw them answered. */
  made: string[];
  children: unknown;
  /** The operator's writes in the namespace, as `verb resource/subresource`. */
  writes: string[];
  hits: number;
}

describe('crash points from creation to serving', () => {
  let controlPlane: ControlPlane;
  let client: KubeClient;
  let kubelet: FakeKubelet;
  let proxy: FaultProxy;
  let reference: Outcome;

  beforeAll(async () => {
    controlPlane = await startControlPlane({ controllerManager: true });
    client = clientOf(controlPlane.kubeconfig);
    await installApi(client, controlPlane.kubeconfig, controlPlane.kubectl);
    kubelet = new FakeKubelet(client, servingStatus);
    proxy = await startFaultProxy({ upstream: controlPlane.kubeconfig, impersonate: OPERATOR_ACCOUNT });
    reference = await run(undefined);
  }, 120_000);

  afterAll(async () => {
    await kubelet.stop();
    await proxy.stop();
    await client.close();
    await controlPlane.stop();
  }, 30_000);

  /** Runs the scenario with `fault` at the operator's `nth` write; `crash` is then called once. */
  async function run(
    fault:
      { nth: number; actions: (crash: () => Promise<void>) => Action[]; crash: 'operator' | 'api-server' } | undefined,
  ): Promise<Outcome> {
    const namespace = await createNamespace(client, 'crash');
    const history = new History(client, namespace);
    proxy.clearRules();
    proxy.reset();
    let operator = OperatorProcess.start({ kubeconfig: proxy.kubeconfig });
    let crashes: Promise<void> | undefined;
    const crash = (): Promise<void> => {
      crashes ??= (async () => {
        if (fault?.crash === 'api-server') {
          await controlPlane.apiServer.kill('SIGKILL');
          await controlPlane.apiServer.start();
        } else {
          await operator.end('SIGKILL');
          // The same identity, as the restarted container of one pod has: it need not wait for its own Lease to expire.
          operator = OperatorProcess.start({ kubeconfig: proxy.kubeconfig });
        }
      })();
      return crashes;
    };
    const match = { verb: WRITE_VERBS, namespace, nth: fault?.nth ?? 0 };
    const rules = (fault?.actions(crash) ?? []).map((action) => proxy.rule({ match, times: 1, action }));
    try {
      await createDeployment(client, namespace);
      await readyReason(client, namespace, 'Serving', 'chat', 60_000);
      // Serving may be reported before the last write, in which the reconciler hands `replicas` over.
      const specs = await eventually(async () => {
        const found = await childSpecs(client, namespace);
        if (reference !== undefined) expect(found).toEqual(reference.children);
        return found;
      });
      expect(operator.running).toBe(true);
      const requests = proxy.writes({ namespace });
      return {
        counts: history.counts,
        made: requests
          .filter(
            ({ resource, verb, status }) =>
              resource !== 'events.events.k8s.io' && (status === 201 || verb === 'delete'),
          )
          .map(({ verb, resource, name }) => `${verb} ${resource} ${name}`)
          .toSorted(),
        children: specs,
        writes: requests.map((write) => `${write.verb} ${write.resource}/${write.subresource}`),
        hits: rules[0]?.hits ?? 0,
      };
    } finally {
      await crashes;
      await operator.end('SIGKILL');
      await history.stop();
    }
  }

  test('the run without faults makes each object once', () => {
    expect(reference.counts).toEqual({
      'added Deployment infer-chat': 1,
      'added NetworkPolicy infer-chat': 1,
      'added Pod *': 1,
      'added PodDisruptionBudget infer-chat': 1,
      'added ReplicaSet *': 1,
      'added Service infer-chat': 1,
    });
    expect(reference.made).toEqual([
      'apply deployments.apps infer-chat',
      'apply networkpolicies.networking.k8s.io infer-chat',
      'apply poddisruptionbudgets.policy infer-chat',
      'apply services infer-chat',
    ]);
  });

  // A restart of the API server takes seconds, so its writes are sampled; `step` is the distance between two.
  const kinds = [
    [
      'operator killed, write never sent',
      'operator',
      1,
      (crash: () => Promise<void>): Action[] => [
        { type: 'hook', before: crash },
        { type: 'cut', how: 'fin' },
      ],
    ],
    [
      'operator killed, write done',
      'operator',
      1,
      (crash: () => Promise<void>): Action[] => [{ type: 'hook', after: crash }],
    ],
    [
      'API server killed, write done',
      'api-server',
      3,
      (crash: () => Promise<void>): Action[] => [{ type: 'hook', after: crash }],
    ],
  ] as const;

  test.each(kinds)(
    '%s: the same objects are made and the same state is reached',
    async (_sentence, crash, step, actions) => {
      let hits = 0;
      for (let nth = 1; nth <= reference.writes.length; nth += step) {
        const outcome = await run({ nth, crash, actions });
        hits += outcome.hits;
        expect({ nth, counts: outcome.counts, made: outcome.made }).toEqual({
          nth,
          counts: reference.counts,
          made: reference.made,
        });
        expect({ nth, children: outcome.children }).toEqual({ nth, children: reference.children });
      }
      // A later write may be saved by a crash (one status write for two), so not every run meets its fault.
      expect(hits).toBeGreaterThanOrEqual(Math.ceil(reference.writes.length / step) - 2);
    },
    300_000,
  );
});
