/** Finds the gateway for a command, and tells what went wrong there. */
import { ApiError, describeError } from '../../kube/errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { systemNamespace } from '../cluster/install.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { CliFailure } from '../failure.ts';
import type { Places } from './address.ts';
import { baseUrlOf, isLoopback } from './base-url.ts';
import type { GatewayClient } from './client.ts';
import { explainGateway } from './explain.ts';
import { findKey } from './key.ts';

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
  const key = await findKey(context, givenBaseUrl(context, options));
  const address = await openAddress(context, options);
  if (address.baseUrl.startsWith('http:') && !isLoopback(address.baseUrl)) {
    context.note(
      `Warning: ${address.baseUrl} is not encrypted: the key and the texts can be read on the way. Use https.`,
    );
  }
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
  const given = givenBaseUrl(context, options);
  if (given !== undefined) return reachable(given);
  const [client, namespace] = [await context.kube(), await context.namespace()];
  const places = { namespace, systemNamespace: systemNamespace(context) };
  const { findAddress } = await import('./address.ts');
  const found = await findAddress(client, places);
  if (found === undefined) return await forwardToPod(context, client, places);
  return reachable(baseUrlOf(found.url) ?? context.fail(notUrl(found.source, found.url), ELSEWHERE, EXIT.unreachable));
}

/** Returns the base URL that --gateway or INFER_BASE_URL names; undefined without. Throws CliFailure for what is none. */
export function givenBaseUrl(context: Context, options: GatewayOptions): string | undefined {
  const given = options.gateway ?? context.env['INFER_BASE_URL'];
  if (given === undefined || given === '') return undefined;
  const from = options.gateway === undefined ? 'INFER_BASE_URL' : '--gateway';
  return baseUrlOf(given) ?? context.fail(notUrl(from, given), ELSEWHERE, EXIT.wrongUse);
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
