/** Changes of a deployment's spec, which are refused where Git decides it. */
import { inferenceDeployments } from '../../api/resources.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { KubeObject } from '../../kube/types.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { keeperOf } from '../gitops.ts';
import { toYaml } from '../output/objects.ts';

export const FIELD_MANAGER = 'infer-cli';

/** Throws CliFailure (5) where Argo CD or Flux keeps the resource; `inGit` says what to do there instead. */
export function assertMayChange(
  context: Context,
  { metadata }: KubeObject,
  options: { force?: boolean | undefined },
  inGit: string,
): void {
  const keeper = keeperOf(metadata);
  if (keeper === undefined || options.force === true) return;
  context.fail(
    keeper.isGuess === true
      ? `Argo CD probably keeps ${metadata.name} as Git has it (by its label app.kubernetes.io/instance: ${keeper.name}) and would undo this.`
      : `${keeper.tool} keeps ${metadata.name} as Git has it (${keeper.name}) and would undo this.`,
    `${inGit}\n--force changes the cluster all the same, until the next sync.`,
    EXIT.refused,
  );
}

/** Returns the advice to change these fields in Git. */
export async function inGit(spec: object): Promise<string> {
  return `Change its manifest in Git:\n${await specText(spec)}`;
}

/** Returns a merge patch of the spec as it stands in a manifest, where a field that is taken away is absent. */
export async function specText(spec: object): Promise<string> {
  const kept: unknown = JSON.parse(JSON.stringify({ spec }, (_, value: unknown) => value ?? undefined));
  return await toYaml(kept);
}

/**
 * Merges `spec` into the deployment's and returns what the server stored. A merge patch names exactly the fields that
 * change: server-side apply would take away what an earlier command set and this one does not name, and would fight with
 * whoever applied the manifest.
 */
export async function changeSpec(
  context: Context,
  deployment: InferenceDeployment,
  spec: object,
  options: { force?: boolean | undefined; dryRun?: boolean | undefined },
): Promise<InferenceDeployment> {
  const { name, namespace, uid } = deployment.metadata;
  if (options.dryRun !== true) assertMayChange(context, deployment, options, await inGit(spec));
  const client = await context.kube();
  // The uid refuses it where the resource was deleted and made anew meanwhile.
  const body = { metadata: { uid }, spec };
  return await client.patch(inferenceDeployments, { namespace: namespace ?? '', name }, body, {
    type: 'merge',
    fieldManager: FIELD_MANAGER,
    signal: context.signal,
    ...(options.dryRun === true ? { dryRun: true } : {}),
  });
}
