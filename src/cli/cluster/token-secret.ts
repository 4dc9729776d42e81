/**
 * The Secret of a deployment's Hugging Face token. One for each deployment rather than for the namespace: it goes with the
 * deployment, and a token that is changed for one model changes no other.
 */
import { MANAGED_BY_LABEL } from '../../api/labels.ts';
import { inferenceDeployments } from '../../api/resources.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { ApiError } from '../../kube/errors.ts';
import { apiVersionOf } from '../../kube/types.ts';
import type { KubeObject, OwnerReference, Resource } from '../../kube/types.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import type { HubToken } from '../hub-token.ts';
import { FIELD_MANAGER } from './change.ts';

interface Secret extends KubeObject {
  type?: string;
  data?: Record<string, string>;
}

const secrets: Resource<Secret> = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };

/** Of tokenSecretRef, where it names none. */
export const TOKEN_KEY = 'token';

/** Returns the name of the Secret for the deployment `id`. */
export function tokenSecretName(id: string): string {
  return `${id}-hf-token`;
}

/**
 * Stores the token for the deployment `ref.name`, in place of one that infer stored for `owner`, or for a deployment
 * that is gone. Returns how to take it back where the deployment then comes to nothing. Throws CliFailure where another
 * Secret has the name, or one of another deployment.
 */
export async function storeToken(
  context: Context,
  ref: { namespace: string; name: string },
  token: HubToken,
  owner?: InferenceDeployment,
): Promise<{ undo: () => Promise<void> }> {
  const client = await context.kube();
  const { namespace } = ref;
  const name = tokenSecretName(ref.name);
  const data = { [TOKEN_KEY]: Buffer.from(token.value).toString('base64') };
  const { signal } = context;
  const existing = await client.get(secrets, { namespace, name }, { signal });
  if (existing !== undefined) assertReplaceable(context, existing);
  try {
    if (existing !== undefined && owner !== undefined) {
      await client.patch(
        secrets,
        { namespace, name },
        { data },
        { type: 'merge', fieldManager: FIELD_MANAGER, signal },
      );
      return { undo: async () => undefined };
    }
    if (existing !== undefined) await removeLeftOver(context, ref, existing);
    const labels = { [MANAGED_BY_LABEL]: FIELD_MANAGER };
    const secret = { metadata: { namespace, name, labels }, type: 'Opaque', data };
    const { metadata } = await client.create(secrets, secret, { fieldManager: FIELD_MANAGER, signal });
    return { undo: async () => await client.delete(secrets, { namespace, name }, { uid: metadata.uid }) };
  } catch (error) {
    throw withoutToken(error, token.value);
  }
}

function assertReplaceable(context: Context, { metadata: { name, namespace, labels } }: Secret): void {
  if (labels?.[MANAGED_BY_LABEL] === FIELD_MANAGER) return;
  context.fail(
    `There is a Secret ${name} in namespace ${namespace} that infer did not make.`,
    `Use it as it is: --hf-token-secret ${name}. Or delete it: kubectl -n ${namespace} delete secret ${name}`,
    EXIT.failed,
  );
}

/** Kubernetes would remove it a moment later with the deployment that it belonged to, also with a new token in it. */
async function removeLeftOver(
  context: Context,
  ref: { namespace: string; name: string },
  { metadata: { name, ownerReferences = [], uid } }: Secret,
): Promise<void> {
  const client = await context.kube();
  const { signal } = context;
  const present = await client.get(inferenceDeployments, ref, { signal });
  if (present !== undefined && ownerReferences.some((owner) => owner.uid === present.metadata.uid)) {
    context.fail(`There is a deployment ${ref.name} already.`, `Change it: infer update ${ref.name} -t -`);
  }
  await client.delete(secrets, { namespace: ref.namespace, name }, { uid, signal });
}

/** Ties the Secret to the deployment, so that it is deleted with it; Ctrl-C does not come between the two. */
export async function giveTokenTo(context: Context, { metadata }: InferenceDeployment): Promise<void> {
  const client = await context.kube();
  const owner: OwnerReference = {
    apiVersion: apiVersionOf(inferenceDeployments),
    kind: inferenceDeployments.kind,
    name: metadata.name,
    uid: metadata.uid ?? '',
  };
  const ref = { namespace: metadata.namespace ?? '', name: tokenSecretName(metadata.name) };
  const body = { metadata: { ownerReferences: [owner] } };
  await client.patch(secrets, ref, body, { type: 'merge', fieldManager: FIELD_MANAGER });
}

/** An admission webhook may repeat what it was sent. */
function withoutToken(error: unknown, token: string): unknown {
  if (!(error instanceof ApiError)) return error;
  const encoded = Buffer.from(token).toString('base64');
  const message = error.message.replaceAll(token, '…').replaceAll(encoded, '…');
  return new ApiError(message, { status: error.status, reason: error.reason });
}
