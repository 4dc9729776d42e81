/** Finds the gateway and the key for a command, and tells what went wrong there. */
import { ApiError, describeError } from '../../kube/errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { systemNamespace } from '../cluster/install.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { CliFailure } from '../failure.ts';
import type { Places } from './address.ts';
import { baseUrlOf } from './base-url.ts';
import type { GatewayClient } from './client.ts';
import { explainGateway } from './explain.ts';
import { readSavedKey } from './key-file.ts';

export interface GatewayOptions {
  gateway?: string;
}

export interface Address {
  /** Without a slash at the end. */
  readonly baseUrl: string;
  /** Whether it is a port of this machine that lives as long as the command. */
  readonly forwarded: boolean;
  /** Why nothing was reached there, where something on the way knows. */
  readonly failure: () => unknown;
  close(): Promise<void>;
}

/** The container's port of manifests/base/gateway.yaml. */
const API_PORT = 8000;
const ELSEWHERE = 'Name the gateway by --gateway URL or INFER_BASE_URL; ask who runs Infer for it.';

/** Calls `run` with a client of the gateway and returns its result. Throws CliFailure for what fails there. */
export async function withGateway<T>(
  context: Context,
  options: GatewayOptions,
  run: (client: GatewayClient) => Promise<T>,
): Promise<T> {
  const key = await findKey(context);
  const address = await openAddress(context, options);
  const { GatewayClient } = await import('./client.ts');
  const client = new GatewayClient(address.baseUrl, key, address.failure);
  try {
    return await run(client);
  } catch (error) {
    throw (context.signal.aborted ? undefined : explainGateway(error)) ?? error;
  } finally {
    await client.close();
    await address.close();
  }
}

/** Returns where the gateway is; the caller closes it. Throws CliFailure where it is not found. */
export async function openAddress(context: Context, options: GatewayOptions): Promise<Address> {
  const given = options.gateway ?? context.env['INFER_BASE_URL'];
  if (given !== undefined && given !== '') {
    const from = options.gateway === undefined ? 'INFER_BASE_URL' : '--gateway';
    return reachable(baseUrlOf(given) ?? context.fail(notUrl(from, given), ELSEWHERE, EXIT.wrongUse));
  }
  const [client, namespace] = [await context.kube(), await context.namespace()];
  const places = { namespace, systemNamespace: systemNamespace(context) };
  const { findAddress } = await import('./address.ts');
  const found = await findAddress(client, places);
  if (found === undefined) return await forwardToPod(context, client, places);
  return reachable(baseUrlOf(found.url) ?? context.fail(notUrl(found.source, found.url), ELSEWHERE, EXIT.unreachable));
}

function notUrl(source: string, url: string): string {
  return `${source} names ${JSON.stringify(url)}, which is no URL such as https://infer.example.com/v1.`;
}

function reachable(baseUrl: string): Address {
  return { baseUrl, forwarded: false, failure: () => undefined, close: async () => undefined };
}

/** Over the API server, with the kubeconfig's credentials: each connection goes to a pod that is ready then. */
async function forwardToPod(context: Context, client: KubeClient, places: Places): Promise<Address> {
  const { findGatewayPod } = await import('./address.ts');
  const { openPodPort } = await import('../../kube/pod-port.ts');
  const { forwardPort } = await import('../../kube/forwarded-port.ts');
  const connect = async () => {
    const pod = await findGatewayPod(client, places);
    if (pod !== undefined) return await openPodPort(client, pod, API_PORT);
    return context.fail(
      `No gateway of Infer is ready in the namespace ${places.systemNamespace}.`,
      `See how they stand: kubectl -n ${places.systemNamespace} get pods. If Infer is installed in another namespace, set INFER_NAMESPACE to that.`,
      EXIT.unreachable,
    );
  };
  // So that what refuses it is told as such, and not as a connection that broke.
  try {
    (await connect()).destroy();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new CliFailure(
      `The gateway has no address outside of the cluster that is known here, and no port can be forwarded to it: ${describeError(error)}.`,
      `${ELSEWHERE} To forward a port you need "list" on pods, and "get" and "create" on pods/portforward, in ${places.systemNamespace}.`,
      EXIT.unreachable,
      { cause: error },
    );
  }
  const port = await forwardPort(connect);
  return { baseUrl: `${port.url}/v1`, forwarded: true, failure: port.failure, close: async () => await port.close() };
}

/** Returns the key: of INFER_API_KEY, else what was saved for this cluster and namespace. */
async function findKey(context: Context): Promise<string> {
  const given = context.env['INFER_API_KEY']?.trim();
  if (given !== undefined && given !== '') return given;
  const place = await keyPlace(context).catch((error: unknown) => {
    if (error instanceof CliFailure) return undefined;
    throw error;
  });
  const saved = place && (await readSavedKey(context.env, place));
  if (saved !== undefined) return saved.key;
  return context.fail(
    place === undefined
      ? 'There is no API key: INFER_API_KEY is not set, and no kubeconfig says for which cluster one was saved.'
      : `There is no API key for the namespace ${place.namespace}: INFER_API_KEY is not set, and none was saved.`,
    'Make one, if you may: infer keys create NAME --scope inference,files,view --save\n' +
      'Or set INFER_API_KEY to one that you were given.',
  );
}

/** Returns for which cluster and namespace keys are saved now. Throws CliFailure without a kubeconfig. */
export async function keyPlace(context: Context): Promise<{ server: string; namespace: string }> {
  const server = (await context.kubeConfig()).getCurrentCluster()?.server ?? '';
  return { server, namespace: await context.namespace() };
}
