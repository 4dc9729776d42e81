/**
 * The operator is killed (SIGKILL) before and after each of its writes while a deployment's model is looked up, and the
 * deployment is created, scaled from one replica to two and back, suspended and deleted; the API server at each write until
 * it serves, before one and after the next. Every run must end in the state of the run without faults, with the same number
 * of objects made and deleted (but of pods, where the API server is killed).
 * Not covered: two crashes in one run, a crash while another manager writes, and, since a restart of the API server takes
 * seconds, its crashes both before and after one write, and while a deployment is scaled, suspended or deleted.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isDeepStrictEqual } from 'node:util';
import { inferenceDeployments, pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { FakeKubelet, servingStatus } from '../support/fake-kubelet.ts';
import { clientOf, createNamespace } from '../support/kube.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { installApi, OPERATOR_ACCOUNT } from '../support/product.ts';
import { childSpecs, createDeployment, History, readyReason } from '../support/scenario.ts';
import type { Action } from './proxy-rules.ts';
import { startFaultProxy, type FaultProxy, type RecordedRequest } from './proxy.ts';

/** A write of the operator: the `nth` with this verb on this resource. */
interface CrashPoint {
  verb: string;
  resource: string;
  subresource: string;
  nth: number;
}

interface Fault {
  at: CrashPoint;
  crash: 'operator' | 'api-server';
  when: 'before' | 'after';
}

interface Outcome {
  /** Objects that appeared and went, as a watch saw them. */
  counts: Record<string, number>;
  /** What the operator's writes made and deleted, as the proxy saw them answered. */
  made: string[];
  /** The children while the deployment serves. */
  children: unknown;
  writes: CrashPoint[];
  hit: boolean;
}

/** How far a run goes. */
type Scenario = 'serving' | 'whole life';

/** After a crash one write may do for two: of status, and of the events that tell of its changes. */
function mayMerge({ resource, subresource }: CrashPoint): boolean {
  return subresource === 'status' || resource === 'events.events.k8s.io';
}

/**
 * With the API server Kubernetes' own controllers are killed. A pod whose creation was not answered they may make once more:
 * a ReplicaSet takes one of two back, which `settled` waits for, and a Job keeps both where both have succeeded ("the same
 * program may sometimes be started twice"). The operator has no right to make or delete pods, so that none of them counts.
 */
function countsAfter(crash: Fault['crash'], counts: Record<string, number>): Record<string, number> {
  if (crash === 'operator') return counts;
  const { 'added Pod *': _added, 'deleted Pod *': _deleted, ...others } = counts;
  return others;
}

function crashPoints(requests: RecordedRequest[]): CrashPoint[] {
  const seen = new Map<string, number>();
  return requests.map(({ verb, resource, subresource }) => {
    const kind = `${verb} ${resource}/${subresource}`;
    const nth = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, nth);
    return { verb, resource, subresource, nth };
  });
}

describe('crash points', () => {
  let controlPlane: ControlPlane;
  let client: KubeClient;
  let proxy: FaultProxy;
  const references = new Map<Scenario, Outcome>();

  beforeAll(async () => {
    controlPlane = await startControlPlane({ controllerManager: true });
    client = clientOf(controlPlane.kubeconfig);
    await installApi(client, controlPlane.kubeconfig, controlPlane.kubectl);
    proxy = await startFaultProxy({ upstream: controlPlane.kubeconfig, impersonate: OPERATOR_ACCOUNT });
    // The garbage collector learns of kinds that were installed after its start every 30 s: one run takes that time.
    const first = await run('whole life');
    const second = await run('whole life');
    // What only one of them had is not bound to come.
    const writes = second.writes.filter((write) => first.writes.some((other) => isDeepStrictEqual(write, other)));
    references.set('whole life', { ...second, writes }).set('serving', await run('serving'));
  }, 240_000);

  afterAll(async () => {
    await proxy.stop();
    await client.close();
    await controlPlane.stop();
  }, 30_000);

  function reference(scenario: Scenario): Outcome {
    const outcome = references.get(scenario);
    if (outcome === undefined) throw new Error(`there was no run without faults of ${scenario}`);
    return outcome;
  }

  /** Waits until the status says so of the newest spec, and as many pods are there. */
  async function settled(namespace: string, reason: string, replicas: number): Promise<void> {
    await eventually(async () => {
      const { metadata, status } = await readyReason(client, namespace, reason, 'chat', 0);
      expect(status?.conditions?.every(({ observedGeneration }) => observedGeneration === metadata.generation)).toBe(
        true,
      );
      expect(status?.replicas).toMatchObject({ desired: replicas, ready: replicas });
      const live = await client.list(pods, { namespace, labelSelector: 'infer.dev/component=replica' });
      expect(live.items).toHaveLength(replicas);
    }, 60_000);
  }

  async function edit(namespace: string, spec: object): Promise<void> {
    await eventually(async () => {
      await client.patch(inferenceDeployments, { namespace, name: 'chat' }, { spec }, { type: 'merge' });
    }, 60_000);
  }

  async function liveOn(namespace: string, history: History): Promise<void> {
    await edit(namespace, { minReplicas: 2 });
    await settled(namespace, 'Serving', 2);
    await edit(namespace, { minReplicas: 1 });
    await settled(namespace, 'Serving', 1);
    await edit(namespace, { suspend: true });
    await settled(namespace, 'Suspended', 0);
    await client.delete(inferenceDeployments, { namespace, name: 'chat' });
    await eventually(() => {
      for (const [change, count] of Object.entries(history.counts)) {
        if (change.startsWith('added '))
          expect(history.counts).toMatchObject({ [`deleted ${change.slice(6)}`]: count });
      }
    }, 90_000);
  }

  /** Lets a deployment live, with a crash at one of the operator's writes. */
  async function run(scenario: Scenario, fault?: Fault): Promise<Outcome> {
    const namespace = await createNamespace(client, 'crash');
    const history = new History(client, namespace);
    // One for each run: after several crashes in a row its watch would come back late.
    const kubelet = new FakeKubelet(client, servingStatus, namespace);
    proxy.clearRules();
    proxy.reset();
    const start = (): OperatorProcess =>
      OperatorProcess.start({ kubeconfig: proxy.kubeconfig, environment: { INFER_PREFLIGHT: 'on' } });
    let operator = start();
    let crashed: Promise<void> | undefined;
    const restart = async (): Promise<void> => {
      if (fault?.crash === 'api-server') {
        await controlPlane.apiServer.kill('SIGKILL');
        await controlPlane.apiServer.start();
        // Its watches would come back after up to half a minute, longer with each crash.
        await controlPlane.controllerManager?.kill('SIGKILL');
        await controlPlane.controllerManager?.start();
      } else {
        await operator.end('SIGKILL');
        // The same identity, as the restarted container of one pod has: it need not wait for its own Lease to expire.
        operator = start();
      }
    };
    const crash = async (): Promise<void> => {
      crashed ??= restart();
      await crashed;
    };
    const actions: Action[] =
      fault?.when === 'before'
        ? [
            { type: 'hook', before: crash },
            { type: 'cut', how: 'fin' },
          ]
        : [{ type: 'hook', after: crash }];
    const rules = fault
      ? actions.map((action) => proxy.rule({ match: { ...fault.at, namespace }, times: 1, action }))
      : [];
    try {
      await createDeployment(client, namespace);
      await settled(namespace, 'Serving', 1);
      // Serving may be reported before the last write, in which the reconciler hands `replicas` over.
      const children = await eventually(async () => {
        const found = await childSpecs(client, namespace);
        const wanted = references.get(scenario)?.children;
        if (wanted !== undefined) expect(found).toEqual(wanted);
        return found;
      });
      if (scenario === 'whole life') await liveOn(namespace, history);
      if (fault) {
        const { crash: what } = fault;
        const wanted = countsAfter(what, reference(scenario).counts);
        // The watches of the history come back some seconds after an API server. The test compares, and names the run.
        const isSeen = (): void => expect(countsAfter(what, history.counts)).toEqual(wanted);
        await eventually(isSeen, 30_000).catch(() => undefined);
      }
      expect(operator.running).toBe(true);
      const requests = proxy.writes({ namespace });
      const made = requests.filter(
        ({ resource, verb, status }) => resource !== 'events.events.k8s.io' && (status === 201 || verb === 'delete'),
      );
      return {
        counts: history.counts,
        // In the names of Jobs and revisions is a hash of their owner's UID.
        made: made
          .map(
            ({ verb, resource, name }) =>
              `${verb} ${resource} ${name.replace(/(-[0-9a-f]{6}|(-[0-9a-f]{10}){2})$/, '-*')}`,
          )
          .toSorted(),
        children,
        // A write that met a conflict comes again.
        writes: crashPoints(requests.filter(({ status = 500 }) => status < 300)),
        hit: rules[0]?.hits === 1,
      };
    } finally {
      await crashed;
      await operator.end('SIGKILL');
      await history.stop();
      await kubelet.stop();
    }
  }

  test('the run without faults makes each object once and leaves none', () => {
    const { counts, made } = reference('whole life');
    const kinds = ['Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'Service'];
    const each = (type: string): [string, number][] => kinds.map((kind) => [`${type} ${kind} infer-chat`, 1]);
    const revisions = { 'added ControllerRevision *': 1, 'deleted ControllerRevision *': 1 };
    const generated = {
      'added Job *': 1,
      'deleted Job *': 1,
      'added ReplicaSet *': 1,
      'deleted ReplicaSet *': 1,
      // Two replicas, and the one that looked the model up.
      'added Pod *': 3,
      'deleted Pod *': 3,
    };
    expect(counts).toEqual({
      ...Object.fromEntries([...each('added'), ...each('deleted')]),
      ...revisions,
      ...generated,
    });
    expect(made).toEqual([
      'apply controllerrevisions.apps infer-chat-*',
      'apply deployments.apps infer-chat',
      'apply jobs.batch infer-chat-check-*',
      'apply networkpolicies.networking.k8s.io infer-chat',
      'apply poddisruptionbudgets.policy infer-chat',
      'apply services infer-chat',
    ]);
  });

  // Of the last two numbers, the first is where among the writes to begin, the second how far to go on.
  test.each<[Fault['crash'], Fault['when'], Scenario, number, number]>([
    ['operator', 'before', 'whole life', 0, 1],
    ['operator', 'after', 'whole life', 0, 1],
    ['api-server', 'before', 'serving', 0, 2],
    ['api-server', 'after', 'serving', 1, 2],
  ])(
    'the %s killed %s writes of the scenario %s: the same objects are made and the same state is reached',
    async (crash, when, scenario, first, step) => {
      const wanted = reference(scenario);
      for (const at of wanted.writes.filter((_, index) => index % step === first)) {
        const outcome = await run(scenario, { at, crash, when });
        const { made, children } = wanted;
        const counts = countsAfter(crash, wanted.counts);
        const seen = countsAfter(crash, outcome.counts);
        // The crash point first: it names the run in the output of a failure.
        expect({ at, counts: seen, made: outcome.made, children: outcome.children }).toEqual({
          at,
          counts,
          made,
          children,
        });
        if (!mayMerge(at)) expect({ at, hit: outcome.hit }).toEqual({ at, hit: true });
      }
    },
    // One run takes some seconds, and there is one for each write.
    900_000,
  );
});
