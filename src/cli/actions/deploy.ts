/** `infer deploy`: from a model's name to a deployment. */
import { inferenceDeployments } from '../../api/resources.ts';
import type { InferenceDeployment, InferenceDeploymentSpecModel } from '../../api/generated/inference-deployment.ts';
import { ApiError, describeError, isAlreadyExists } from '../../kube/errors.ts';
import { resolveModel } from '../catalogue.ts';
import type { ResolvedModel } from '../catalogue.ts';
import { FIELD_MANAGER } from '../cluster/change.ts';
import { listAll } from '../cluster/find.ts';
import { readCatalogue, systemNamespace } from '../cluster/install.ts';
import { TOKEN_KEY, giveTokenTo, storeToken, tokenSecretName } from '../cluster/token-secret.ts';
import { waitUntilReady } from '../cluster/wait.ts';
import type { DeployOptions } from '../commands/deploy.ts';
import type { Context } from '../context.ts';
import { ID_PATTERN, LONGEST_ID, deploymentId } from '../deployment-id.ts';
import { EXIT } from '../exit-codes.ts';
import { CliFailure } from '../failure.ts';
import { askForToken, tokenFromEnvironment, tokenFromFlag } from '../hub-token.ts';
import type { HubToken } from '../hub-token.ts';
import { nearNames } from '../near.ts';
import { printObject } from '../output/objects.ts';
import { planLines } from '../output/plan.ts';
import { secretReference, specOf } from '../spec.ts';

/** Another `infer deploy` may take the name first. */
const MAX_NAMES = 5;

/** Creates a deployment of `text`, or prints its manifest with --dry-run. Throws CliFailure. */
export async function deploy(context: Context, text: string, options: DeployOptions): Promise<void> {
  const isReachable = options.dryRun !== true || (await answers(context));
  const resolved = await resolve(context, text, isReachable);
  const token = await tokenFor(context, resolved, options);
  const manifest = await manifestOf(context, resolved, { ...options, hasToken: token !== undefined, isReachable });
  if (options.dryRun === true) return await dryRun(context, manifest, { token, isReachable });

  // What is for people goes beside what -o asks for.
  const say = context.output === 'table' || context.output === 'wide' ? context.print : context.note;
  await check(context, manifest);
  const created = await createAll(context, manifest, { token, isNamed: options.name !== undefined });
  const { name, namespace = '' } = created.metadata;
  for (const line of planLines(created, { entry: resolved.entry, token })) say(line);
  if (resolved.entry?.spec.gated === true && created.spec.model.tokenSecretRef === undefined) say(gatedHint(created));
  if (options.wait !== true) {
    await printObject(context, inferenceDeployments, created);
    return context.note(`\nWatch it: infer status ${name}   Wait for it: infer start ${name} --wait`);
  }
  const ready = await waitUntilReady(context, { namespace, name }, options.timeout);
  if (!(await printObject(context, inferenceDeployments, ready))) context.print(`${name} serves.`);
  context.note(`Talk to it: infer chat -d ${name} -p "Hello"`);
}

/** Returns whether there is a cluster to check a manifest with; who writes one for Git may have none at hand. */
async function answers(context: Context): Promise<boolean> {
  try {
    await (await context.kube()).getText('/version', {}, { signal: context.signal });
    return true;
  } catch (error) {
    const { explain } = await import('../explain.ts');
    const failure = explain(error);
    if (failure.exitCode !== EXIT.unreachable) throw failure;
    context.note(`Not checked by a cluster: ${failure.message}`);
    return false;
  }
}

async function resolve(context: Context, text: string, isReachable: boolean): Promise<ResolvedModel> {
  const read = isReachable ? await readCatalogue(context) : undefined;
  const catalogue = read ?? [];
  const resolved = resolveModel(text, catalogue);
  if (resolved !== undefined) return resolved;
  if (read === undefined) {
    return context.fail(
      `Whether the catalogue has a model ${text} is not known: it cannot be read${isReachable ? ' by you' : ' without a cluster'}.`,
      'Write ORGANISATION/NAME as on its Hugging Face page' +
        (isReachable ? `, or ask for "list" on catalogmodels.infer.dev in ${systemNamespace(context)}.` : '.'),
    );
  }
  const names = catalogue.map(({ metadata }) => metadata.name);
  const near = nearNames(text, names);
  return context.fail(
    `The catalogue has no model ${text}.`,
    near.length > 0
      ? `Did you mean ${near.join(' or ')}?`
      : 'Write ORGANISATION/NAME as on its Hugging Face page, or a name that "infer models" lists.',
    EXIT.notFound,
  );
}

async function tokenFor(
  context: Context,
  { model, entry }: ResolvedModel,
  options: DeployOptions,
): Promise<HubToken | undefined> {
  if (options.hfTokenSecret !== undefined || model.id === undefined) {
    if (options.hfToken === undefined) return undefined;
    return context.fail(
      model.id === undefined
        ? 'A model from a volume needs no token.'
        : 'There is a token and a Secret that holds one.',
      'Leave out --hf-token.',
      EXIT.wrongUse,
    );
  }
  if (options.hfToken !== undefined) return await tokenFromFlag(context, options.hfToken);
  // What is known to be public needs none: a token is not stored without need.
  if (entry !== undefined && entry.spec.gated !== true) return undefined;
  const fromEnvironment = tokenFromEnvironment(context);
  if (fromEnvironment !== undefined || entry === undefined || options.dryRun === true) return fromEnvironment;
  context.note(`${entry.spec.modelId} is gated: accept its licence on its Hugging Face page, then give a token.`);
  return await askForToken(context);
}

async function manifestOf(
  context: Context,
  { model, entry }: ResolvedModel,
  options: DeployOptions & { hasToken: boolean; isReachable: boolean },
): Promise<InferenceDeployment> {
  const namespace = options.isReachable ? await context.namespace() : await context.namespace().catch(() => 'default');
  const name = options.name ?? (await idFor(context, model, options));
  const isGated = entry?.spec.gated === true && options.dryRun === true;
  const tokenSecretRef =
    options.hfTokenSecret !== undefined
      ? secretReference(options.hfTokenSecret)
      : options.hasToken || isGated
        ? { name: tokenSecretName(name) }
        : undefined;
  const { hardwareProfile = entry?.spec.hardwareProfile ?? 'gpu.a100', ...spec } = specOf(options);
  return {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'InferenceDeployment',
    metadata: { name, namespace },
    spec: {
      model: {
        ...model,
        ...(options.revision !== undefined && { revision: options.revision }),
        ...(tokenSecretRef && { tokenSecretRef }),
      },
      hardwareProfile,
      ...spec,
    },
  };
}

async function idFor(
  context: Context,
  { id, claim }: InferenceDeploymentSpecModel,
  options: { isReachable: boolean },
): Promise<string> {
  return deploymentId(id ?? (claim?.path || claim?.name) ?? '', await takenNames(context, options));
}

/** Returns all names that clients know deployments of the namespace by. */
async function takenNames(context: Context, options: { isReachable: boolean }): Promise<Set<string>> {
  if (!options.isReachable) return new Set();
  const client = await context.kube();
  const scope = { namespace: await context.namespace(), signal: context.signal };
  const existing = await listAll(client, inferenceDeployments, scope);
  return new Set(existing.flatMap(({ metadata, spec }) => [metadata.name, ...(spec.aliases ?? [])]));
}

async function dryRun(
  context: Context,
  manifest: InferenceDeployment,
  { token, isReachable }: { token: HubToken | undefined; isReachable: boolean },
): Promise<void> {
  if (isReachable) await check(context, manifest);
  else assertName(context, manifest.metadata.name);
  const asked = {
    ...context,
    output: context.output === 'json' || context.output === 'name' ? context.output : 'yaml',
  };
  await printObject(asked as Context, inferenceDeployments, manifest);
  const { namespace } = manifest.metadata;
  const secret = manifest.spec.model.tokenSecretRef;
  if (secret === undefined) return;
  context.note(
    `\nThe Secret that it names is not part of it. Create it once${token === undefined ? '' : ' with your token'}:\n` +
      `  kubectl -n ${namespace} create secret generic ${secret.name} --from-file=${secret.key ?? TOKEN_KEY}=FILE`,
  );
}

/** The rule of the CRD, where no cluster checks it. */
function assertName(context: Context, name: string): void {
  if (name.length <= LONGEST_ID && ID_PATTERN.test(name)) return;
  context.fail(
    `${name} cannot be the id of a deployment.`,
    `Choose at most ${LONGEST_ID} lower-case letters, digits and hyphens that begin with a letter, for example --name llama-8b.`,
    EXIT.wrongUse,
  );
}

/** Has the API server check the manifest before anything is stored. */
async function check(context: Context, manifest: InferenceDeployment): Promise<void> {
  await tryCreate(context, manifest, true);
}

async function tryCreate(
  context: Context,
  manifest: InferenceDeployment,
  dryRun: boolean,
): Promise<InferenceDeployment> {
  const client = await context.kube();
  const { name, namespace } = manifest.metadata;
  try {
    const options = { fieldManager: FIELD_MANAGER, dryRun, signal: context.signal };
    return await client.create(inferenceDeployments, manifest, options);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    throw new CliFailure(
      `There is a deployment ${name} in namespace ${namespace} already.`,
      `Change it: infer update ${name} --min-replicas 2 (and so on; see infer update --help). Or choose another name: --name.`,
      EXIT.failed,
      { cause: error },
    );
  }
}

async function createAll(
  context: Context,
  manifest: InferenceDeployment,
  { token, isNamed }: { token: HubToken | undefined; isNamed: boolean },
): Promise<InferenceDeployment> {
  const base = manifest.metadata.name;
  const taken = new Set<string>();
  for (;;) {
    const name = deploymentId(base, taken);
    const attempt = renamed(manifest, name, token !== undefined);
    try {
      return await createWithToken(context, attempt, token);
    } catch (error) {
      taken.add(name);
      const isTaken = error instanceof CliFailure && isAlreadyExists(error.cause);
      if (isNamed || !isTaken || taken.size >= MAX_NAMES) throw error;
    }
  }
}

function renamed(manifest: InferenceDeployment, name: string, hasToken: boolean): InferenceDeployment {
  const { metadata, spec } = manifest;
  const model = { ...spec.model, ...(hasToken && { tokenSecretRef: { name: tokenSecretName(name) } }) };
  return { ...manifest, metadata: { ...metadata, name }, spec: { ...spec, model } };
}

/** The Secret first: a replica that finds none would say so. */
async function createWithToken(
  context: Context,
  manifest: InferenceDeployment,
  token: HubToken | undefined,
): Promise<InferenceDeployment> {
  if (token === undefined) return await tryCreate(context, manifest, false);
  const { name, namespace = '' } = manifest.metadata;
  const stored = await storeToken(context, { namespace, name }, token);
  let created: InferenceDeployment;
  try {
    created = await tryCreate(context, manifest, false);
  } catch (error) {
    if (isRefusal(error)) await stored.undo();
    else context.note(`\nIt is not known whether ${name} was created; Secret ${tokenSecretName(name)} stays for it.`);
    throw error;
  }
  try {
    await giveTokenTo(context, created);
  } catch (error) {
    throw new CliFailure(
      `${name} is created and has its token, but Secret ${tokenSecretName(name)} will not be deleted with it: ${describeError(error)}.`,
      `Tie them: infer update ${name} -t -`,
      EXIT.failed,
      { cause: error },
    );
  }
  return created;
}

/** Any other error may have come after the API server stored it. */
function isRefusal(error: unknown): boolean {
  const cause = error instanceof CliFailure ? error.cause : error;
  return cause instanceof ApiError && cause.status < 500;
}

function gatedHint({ metadata, spec }: InferenceDeployment): string {
  return `${spec.model.id} is gated and there is no token: it will not start. Give one: infer update ${metadata.name} -t -`;
}
