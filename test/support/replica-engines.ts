/**
 * Stands in for the nodes and the EndpointSlice controller: each replica that is ready has a simulated engine of its own,
 * at an address that gateways are told of.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../../src/api/kubernetes.ts';
import { COMPONENT_LABEL, DEPLOYMENT_LABEL, REPLICA_COMPONENT } from '../../src/api/labels.ts';
import { inferenceDeployments, pods } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { Informer } from '../../src/kube/informer.ts';
import { spawnSimulator, type SimulatorProcess } from '../vllm-sim/child.ts';
import { ownAddress, writeEndpoints } from './endpoints.ts';
import { MemoryLogger } from './kube.ts';

const PRE_STOP_MS = 2_000;

export class ReplicaEngines {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #settings: { arguments: readonly string[]; environment: Record<string, string> };
  readonly #informer: Informer<Pod>;
  /** By pod UID. */
  readonly #engines = new Map<string, { process: SimulatorProcess; port: Promise<number> }>();
  /** The last write of each deployment's endpoints, which the next one follows. */
  readonly #writes = new Map<string, Promise<void>>();
  /** When each deployment had its first endpoint, of performance.now(). */
  readonly readyAt = new Map<string, number>();

  /** Follows the replicas of a namespace, whose engines get these arguments and environment. */
  constructor(
    client: KubeClient,
    namespace: string,
    settings: { arguments: readonly string[]; environment: Record<string, string> },
  ) {
    this.#client = client;
    this.#namespace = namespace;
    this.#settings = settings;
    this.#informer = new Informer<Pod>({
      client,
      resource: pods,
      namespace,
      labelSelector: `${COMPONENT_LABEL}=${REPLICA_COMPONENT}`,
      decode: (pod) => pod,
      logger: new MemoryLogger(),
    });
    this.#informer.onChange(({ object }) => this.#follow(object.metadata.labels?.[DEPLOYMENT_LABEL] ?? ''));
    this.#informer.start();
  }

  async stop(): Promise<void> {
    await this.#informer.stop();
    await Promise.all(this.#writes.values());
    await Promise.all([...this.#engines.keys()].map(async (podUid) => await this.#end(podUid)));
  }

  #follow(name: string): void {
    const before = this.#writes.get(name) ?? Promise.resolve();
    const write = before.then(async () => await this.#write(name));
    this.#writes.set(name, write);
  }

  async #write(name: string): Promise<void> {
    const resource = await this.#client.get(inferenceDeployments, { namespace: this.#namespace, name });
    if (resource === undefined) return;
    const known = this.#informer.list().filter(({ metadata }) => metadata.labels?.[DEPLOYMENT_LABEL] === name);
    const ready = known.filter(isReady).map(({ metadata: { uid = '' } }) => uid);
    const replicas = await Promise.all(
      ready.map(async (podUid) => ({ podUid, port: await this.#portOf(name, podUid) })),
    );
    await writeEndpoints(this.#client, resource, replicas);
    if (replicas.length > 0 && !this.readyAt.has(name)) this.readyAt.set(name, performance.now());
    const alive = new Set(this.#informer.list().map(({ metadata }) => metadata.uid ?? ''));
    for (const podUid of this.#engines.keys()) if (!alive.has(podUid)) void this.#end(podUid);
  }

  async #portOf(name: string, podUid: string): Promise<number> {
    let engine = this.#engines.get(podUid);
    if (engine === undefined) {
      const options = ['--model', 'org/model', '--served-model-name', name, '--host', ownAddress()];
      const process = spawnSimulator([...options, ...this.#settings.arguments], this.#settings.environment);
      engine = { process, port: process.ready().then((origin) => Number(new URL(origin).port)) };
      this.#engines.set(podUid, engine);
    }
    return await engine.port;
  }

  /** As the kubelet does: after the pause in which gateways learn of it, the engine finishes its requests. */
  async #end(podUid: string): Promise<void> {
    const engine = this.#engines.get(podUid);
    this.#engines.delete(podUid);
    await delay(PRE_STOP_MS);
    engine?.process.child.kill('SIGTERM');
    await engine?.process.ended;
  }
}

function isReady({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  return ready === true && metadata.deletionTimestamp === undefined;
}
