/** Who else writes `replicas` of our Deployments, and when to give in: a fight would start and stop replicas for ever. */
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { Deployment } from '../api/kubernetes.ts';
import { RECONCILER_MANAGER, SCALER_MANAGER } from '../api/labels.ts';
import { findCondition } from '../kube/conditions.ts';
import { ownersOf } from '../kube/managed-fields.ts';

/**
 * So many losses within such a time are no accident. The second is for what writes the count every few minutes, as a
 * CronJob does, or Argo CD where it heals by itself.
 */
const FIGHTS = [
  { losses: 3, withinMs: 300_000 },
  { losses: 5, withinMs: 3_600_000 },
];
const LONGEST_MS = Math.max(...FIGHTS.map(({ withinMs }) => withinMs));

interface Fight {
  /** We had the field when it was last looked at. */
  owned: boolean;
  lostAtMs: number[];
  /** Set once we gave in: to whom, and at which generation of the spec. */
  givenIn?: { managers: string[]; generation: number };
}

export class Contention {
  /** Deployments whose count somebody else wrote in this term, by UID. */
  readonly #fights = new Map<string, Fight>();

  /**
   * Returns the managers that the count is left to; undefined while the scaler may write it. A loss is counted once for
   * each time that somebody took the field. `nowMs` never goes back.
   */
  leftTo(resource: InferenceDeployment, live: Deployment | undefined, nowMs: number): readonly string[] | undefined {
    const { uid = '', generation = 0 } = resource.metadata;
    const owners = live === undefined ? [] : ownersOf(live, ['spec', 'replicas']);
    const others = owners.filter((manager) => manager !== SCALER_MANAGER && manager !== RECONCILER_MANAGER);
    const fight = this.#fights.get(uid);
    const givenIn = fight?.givenIn ?? (fight === undefined ? givenInBefore(resource, others) : undefined);
    if (givenIn !== undefined) {
      if (givenIn.generation === generation && givenIn.managers.some((manager) => others.includes(manager))) {
        this.#fights.set(uid, { owned: false, lostAtMs: [], givenIn });
        return givenIn.managers;
      }
      this.#fights.delete(uid);
      return undefined;
    }
    if (owners.includes(SCALER_MANAGER)) this.written(uid);
    if (owners.includes(SCALER_MANAGER) || others.length === 0) return undefined;
    const { lostAtMs, owned } = fight ?? { lostAtMs: [], owned: true };
    if (!owned) return undefined;
    const lost = [...lostAtMs.filter((atMs) => atMs > nowMs - LONGEST_MS), nowMs];
    const isFight = FIGHTS.some(
      ({ losses, withinMs }) => lost.filter((atMs) => atMs > nowMs - withinMs).length >= losses,
    );
    if (!isFight) {
      this.#fights.set(uid, { owned: false, lostAtMs: lost });
      return undefined;
    }
    this.#fights.set(uid, { owned: false, lostAtMs: [], givenIn: { managers: others, generation } });
    return others;
  }

  /** The scaler has taken the field: who has it next took it again. */
  written(uid: string): void {
    const fight = this.#fights.get(uid);
    if (fight !== undefined) fight.owned = true;
  }

  /** The deployment was deleted. */
  forget(uid: string): void {
    this.#fights.delete(uid);
  }
}

/** The leader before this one gave in, and the spec has not changed since. */
function givenInBefore({ metadata, status }: InferenceDeployment, others: string[]): Fight['givenIn'] {
  const active = findCondition(status?.conditions, 'ScalingActive');
  const { generation = 0 } = metadata;
  const stands = active?.reason === 'ReplicasContested' && active.observedGeneration === generation;
  return stands && others.length > 0 ? { managers: others, generation } : undefined;
}
