/** What the scaler sees of deployments: the gateways' word, and the replicas in the caches. */
import { effectiveSpec } from '../api/defaults.ts';
import { liveCount } from '../autoscaler/live-count.ts';
import type { Sight } from '../autoscaler/scaler.ts';
import type { Caches } from './caches.ts';
import type { Gateways } from './gateways.ts';
import { neededByBatches } from './batch-need.ts';
import { belongsTo } from './refusals.ts';
import { replicaCounts, startTimes } from './replica-counts.ts';
import { childName } from './resources/names.ts';
import { TokenRates } from './usage/token-rates.ts';

export class ScalingSight {
  readonly #caches: Caches;
  readonly #gateways: Pick<Gateways, 'takeSample' | 'view'>;
  /** Unix milliseconds. What started before is the former leader's to have learned from. */
  readonly #since: number;
  /** Up to when the starts of each deployment's replicas were told, in Unix milliseconds, by its UID. */
  readonly #toldUntil = new Map<string, number>();
  readonly #tokenRates = new TokenRates();

  constructor(caches: Caches, gateways: Pick<Gateways, 'takeSample' | 'view'>, now: Date) {
    this.#caches = caches;
    this.#gateways = gateways;
    this.#since = now.getTime();
  }

  /** Returns what is seen of the deployment with this UID since the last look; undefined where it has gone. */
  observe(uid: string): Sight | undefined {
    const resource = this.#caches.inferenceDeployments.byIndex('uid', uid)[0];
    if (resource === undefined) return undefined;
    const { namespace = '', name } = resource.metadata;
    const pods = this.#caches.pods.byIndex('deployment', `${namespace}/${uid}`);
    const named = this.#caches.deployments.get({ namespace, name: childName(name) });
    // One of a predecessor by this name may still be going.
    const deployment = named && belongsTo(named, resource) ? named : undefined;
    const { startTimesMs, untilMs } = startTimes(pods, {
      afterMs: this.#toldUntil.get(uid) ?? this.#since,
      startupTimeoutSeconds: effectiveSpec(resource.spec).startupTimeoutSeconds,
    });
    this.#toldUntil.set(uid, untilMs);
    const replicas = { ...replicaCounts(resource, deployment, pods), startTimesMs };
    const live = liveCount(deployment, pods);
    const batches = this.#caches.inferenceBatches.byIndex('deployment', `${namespace}/${name}`);
    const batchReplicas = neededByBatches(resource, batches, new Date());
    const traffic = this.#gateways.takeSample(uid);
    this.#tokenRates.note(uid, traffic?.engines ?? [], performance.now());
    return { resource, live, observation: { traffic, replicas, batchReplicas } };
  }

  /** Returns how many tokens per second the deployment's engines make; undefined where that is not known, or none. */
  tokensPerSecond(uid: string): number | undefined {
    return this.#tokenRates.perSecond(uid, performance.now());
  }

  /** Returns whether requests wait for a replica of the deployment or are on one, by the word of any gateway. */
  hasWork(uid: string): boolean {
    const { view } = this.#gateways;
    return (
      view.held(uid) > 0 ||
      view
        .inFlight(uid)
        .values()
        .some((count) => count > 0)
    );
  }

  forget(uid: string): void {
    this.#toldUntil.delete(uid);
    this.#tokenRates.forget(uid);
  }
}
