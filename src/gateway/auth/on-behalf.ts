/** On whose behalf the batch process asks: an APIKey by its names, which it is believed to have checked the right to name. */
import type { APIKey } from '../../api/generated/api-key.ts';
import type { AuthenticatedKey } from '../types.ts';
import { isValid, keyOfResource } from './authenticator.ts';

/** Finds keys by the names of their resources. */
export interface KeysByName {
  /** Returns the key as it is now; undefined where it is gone, disabled, over, or may do neither inference nor files. */
  find(namespace: string, name: string, now: Date): AuthenticatedKey | undefined;
}

/** Returns the keys of these resources. */
export function keysByName(resources: {
  get(reference: { namespace: string; name: string }): APIKey | undefined;
}): KeysByName {
  return {
    find(namespace, name, now) {
      const resource = resources.get({ namespace, name });
      if (resource === undefined || !isValid(resource, now)) return undefined;
      const key = keyOfResource(resource);
      return key.scopes.has('inference') || key.scopes.has('files') ? key : undefined;
    },
  };
}
