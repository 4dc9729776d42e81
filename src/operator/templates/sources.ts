/** Pure: what a pod template is made of beside the user's spec, so that a newer template can be told by what is newer. */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import { contentHash } from '../../kube/hash.ts';
import type { InstallSettings } from '../resources/deployment.ts';
import type { EngineSettings } from '../resources/engine.ts';

/** A fingerprint of each source; the names are those of `status.update.reasons`. */
export type Sources = Readonly<Record<'HardwareProfile' | 'CatalogModel' | 'InstallSettings' | 'InferVersion', string>>;

/** Returns the fingerprints of what a template is made of now. */
export function sourcesOf(
  profile: HardwareProfileSpec,
  catalogueEngine: EngineSettings | undefined,
  install: InstallSettings,
): Sources {
  // What of a profile is about rollouts, access and money shapes no pod.
  const { rollout: _rollout, gpuWaitSeconds: _wait, allowedNamespaces: _allowed, price: _price, ...shaping } = profile;
  const { image, hubEndpoint, httpsProxy, noProxy } = install;
  return {
    HardwareProfile: fingerprint(shaping),
    CatalogModel: fingerprint(catalogueEngine ?? {}),
    InstallSettings: fingerprint({ hubEndpoint, httpsProxy, noProxy }),
    InferVersion: fingerprint(image),
  };
}

/**
 * Returns why a template made of `now` differs from one made of `then`; `then` is undefined where the record of it was lost.
 * A template that differs although none of its sources does was made by another Infer.
 */
export function newerThan(then: Sources | undefined, now: Sources): string[] {
  if (then === undefined) return ['Unknown'];
  const changed = Object.entries(now).flatMap(([name, value]) => (then[name as keyof Sources] === value ? [] : [name]));
  return changed.length > 0 ? changed.toSorted() : ['InferVersion'];
}

function fingerprint(value: unknown): string {
  return contentHash(value).slice(0, 10);
}
