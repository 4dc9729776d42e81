/** `infer update`: changes fields of the spec, or replaces the replicas by what is newer. */
import { inferenceDeployments } from '../../api/resources.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { formatTime } from '../../kube/conditions.ts';
import { assertMayChange, changeSpec, inGit, specText } from '../cluster/change.ts';
import { findDeployment } from '../cluster/find.ts';
import { giveTokenTo, storeToken, tokenSecretName } from '../cluster/token-secret.ts';
import { waitUntilReady } from '../cluster/wait.ts';
import type { UpdateOptions } from '../commands/update.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { tokenFromFlag } from '../hub-token.ts';
import type { HubToken } from '../hub-token.ts';
import { printObject } from '../output/objects.ts';
import { secretReference, specOf } from '../spec.ts';

/** Changes the deployment as the options say. Throws CliFailure. */
export async function update(context: Context, id: string, options: UpdateOptions): Promise<void> {
  const deployment = await findDeployment(context, id);
  const changes = changesOf(deployment, options);
  const isEmpty = Object.keys(changes).length === 0;
  const takesNewer = options.restart === true || (isEmpty && deployment.status?.update?.available === true);
  if (isEmpty && !takesNewer) {
    return context.note(`${id} runs what is newest. Replace its replicas all the same: infer update ${id} --restart`);
  }
  const spec = { ...changes, ...(takesNewer && { restartedAt: formatTime(context.now()) }) };
  const what = takesNewer ? 'replaces its replicas, one after another' : 'is changed';
  const isDryRun = options.dryRun === true;
  const changed = await change(context, deployment, spec, options);
  if (await printObject(context, inferenceDeployments, changed)) return;
  context.print(isDryRun ? `${id} would be changed:` : `${id} ${what}:`);
  context.print((await specText(spec)).replaceAll(/^/gm, '  '));
  if (options.wait !== true && !isDryRun) context.note(`Watch it: infer status ${id}`);
}

async function change(
  context: Context,
  deployment: InferenceDeployment,
  spec: object,
  options: UpdateOptions,
): Promise<InferenceDeployment> {
  if (options.dryRun === true) return await changeSpec(context, deployment, spec, options);
  if (options.hfToken !== undefined) {
    assertMayChange(context, deployment, options, await inGit(spec));
    const token = await tokenFor(context, deployment, options.hfToken);
    // The Secret is written only for a change that will be taken.
    await changeSpec(context, deployment, spec, { ...options, dryRun: true });
    await replaceToken(context, deployment, token);
  }
  const changed = await changeSpec(context, deployment, spec, options);
  if (options.wait !== true) return changed;
  const { name, namespace = '' } = changed.metadata;
  return await waitUntilReady(context, { namespace, name }, options.timeout);
}

function changesOf({ metadata }: InferenceDeployment, options: UpdateOptions): object {
  const secret =
    options.hfTokenSecret !== undefined
      ? secretReference(options.hfTokenSecret)
      : options.hfToken !== undefined
        ? { name: tokenSecretName(metadata.name) }
        : undefined;
  const model = {
    ...(options.revision !== undefined && { revision: options.revision }),
    // The key of a Secret that was named before is not that of this one.
    ...(secret !== undefined && { tokenSecretRef: { key: null, ...secret } }),
  };
  return { ...specOf(options), ...(Object.keys(model).length > 0 && { model }) };
}

async function tokenFor(context: Context, { spec }: InferenceDeployment, flag: string): Promise<HubToken> {
  if (spec.model.id !== undefined) return await tokenFromFlag(context, flag);
  return context.fail('A model from a volume needs no token.', 'Leave out --hf-token.', EXIT.wrongUse);
}

async function replaceToken(context: Context, deployment: InferenceDeployment, token: HubToken): Promise<void> {
  const { name, namespace = '' } = deployment.metadata;
  await storeToken(context, { namespace, name }, token, deployment);
  await giveTokenTo(context, deployment);
}
