/** One object as it changes. */
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeClient } from '../../kube/client.ts';
import { ApiError, ConnectionError, WatchFormatError } from '../../kube/errors.ts';
import type { KubeObject, Resource } from '../../kube/types.ts';

const RETRY_MS = 1000;

/**
 * Yields the object as it is and after each change; undefined where there is none, or no more. It goes on over watches
 * that end and connections that break, until the signal aborts, whose reason it throws.
 * Throws ApiError where the server refuses for good.
 */
export async function* observe<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  ref: { namespace: string; name: string },
  signal: AbortSignal,
): AsyncGenerator<T | undefined> {
  const fieldSelector = `metadata.name=${ref.name}`;
  let isFirst = true;
  for (;;) {
    try {
      const page = await client.list(resource, { namespace: ref.namespace, fieldSelector, signal });
      yield page.items[0];
      isFirst = false;
      const watch = { namespace: ref.namespace, fieldSelector, resourceVersion: page.resourceVersion, signal };
      for await (const event of client.watch(resource, watch)) {
        if (event.type === 'DELETED') yield undefined;
        else if (event.type !== 'BOOKMARK') yield event.object;
      }
    } catch (error) {
      signal.throwIfAborted();
      // At first there is nothing to go on with: a server that is not there is told at once.
      if (isFirst || !mayPass(error)) throw error;
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 410 || error.status === 429 || error.status >= 500;
  return error instanceof ConnectionError || error instanceof WatchFormatError;
}
