/** Which key goes to which gateway: a key that was saved is sent only to where it belongs. */
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { CliFailure } from '../failure.ts';
import { systemNamespace } from '../cluster/install.ts';
import { baseUrlOf } from './base-url.ts';
import { isPrivate, keyFilePath, readSavedKey } from './key-file.ts';

/**
 * Returns the key: of INFER_API_KEY, else what was saved for this cluster and namespace. `given` is the base URL that the
 * user named; a saved key goes there only if it was saved with it or if the cluster tells that it is its own gateway.
 * Throws CliFailure where there is none.
 */
export async function findKey(context: Context, given: string | undefined): Promise<string> {
  const fromEnvironment = context.env['INFER_API_KEY']?.trim();
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
  const place = await keyPlace(context).catch((error: unknown) => {
    if (error instanceof CliFailure) return undefined;
    throw error;
  });
  const saved = place && (await readSavedKey(context.env, place));
  if (saved === undefined) {
    return context.fail(
      place === undefined
        ? 'There is no API key: INFER_API_KEY is not set, and no kubeconfig says for which cluster one was saved.'
        : `There is no API key for the namespace ${place.namespace}: INFER_API_KEY is not set, and none was saved.`,
      'Make one, if you may: infer keys create NAME --scope inference,files,view --save\n' +
        'Or set INFER_API_KEY to one that you were given, or save that: infer keys save NAME',
    );
  }
  const path = keyFilePath(context.env);
  if (!(await isPrivate(path))) {
    context.fail(`Others can read the keys in ${path}.`, `Take that from them: chmod 600 ${path}`);
  }
  if (given === undefined || given === saved.gateway || (await isOwnGateway(context, given))) return saved.key;
  return context.fail(
    `The saved key ${saved.name} is not sent to ${given}: it was not saved for that, and the cluster does not tell that its gateway is there.`,
    `Set INFER_API_KEY to the key for it, or save that key for it: infer keys save ${saved.name} --gateway ${given}`,
    EXIT.wrongUse,
  );
}

/** Returns for which cluster and namespace keys are saved now. Throws CliFailure without a kubeconfig. */
export async function keyPlace(context: Context): Promise<{ server: string; namespace: string }> {
  const server = (await context.kubeConfig()).getCurrentCluster()?.server ?? '';
  return { server, namespace: await context.namespace() };
}

/** Returns whether the cluster tells that its gateways are there; false where it tells nothing now. */
async function isOwnGateway(context: Context, baseUrl: string): Promise<boolean> {
  const { addresses } = await import('./address.ts');
  try {
    const places = { namespace: await context.namespace(), systemNamespace: systemNamespace(context) };
    for await (const { url } of addresses(await context.kube(), places)) if (baseUrlOf(url) === baseUrl) return true;
  } catch {
    context.signal.throwIfAborted();
  }
  return false;
}
