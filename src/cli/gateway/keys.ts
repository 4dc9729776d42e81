/** `infer keys`: makes, saves, lists and revokes API keys. It needs rights on apikeys and nothing else. */
import { randomBytes } from 'node:crypto';
import type { APIKey, APIKeySpec } from '../../api/generated/api-key.ts';
import { apiKeys } from '../../api/resources.ts';
import { createKey, parseKey } from '../../gateway/auth/key.ts';
import { isAlreadyExists } from '../../kube/errors.ts';
import { FIELD_MANAGER, assertMayChange, inGit } from '../cluster/change.ts';
import { listAll } from '../cluster/find.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { askHidden, readStdin } from '../hidden-input.ts';
import { age } from '../output/durations.ts';
import { printObjects, printStructured, printTable } from '../output/objects.ts';
import { givenBaseUrl, type GatewayOptions } from './access.ts';
import { spanSeconds } from './durations.ts';
import { keyPlace } from './key.ts';
import { forgetKey, readSavedKey, saveKey, type SavedKey } from './key-file.ts';

export interface CreateKeyOptions extends GatewayOptions {
  scope?: string[];
  deployment?: string[];
  expires?: string;
  save?: boolean;
}

export interface RevokeKeyOptions {
  delete?: boolean;
  force?: boolean;
}

/** Makes an APIKey and prints the key, which nobody can see again, alone on standard output. */
export async function createApiKey(context: Context, name: string, options: CreateKeyOptions): Promise<void> {
  const [client, place] = [await context.kube(), await keyPlace(context)];
  const { namespace } = place;
  const gateway = givenBaseUrl(context, options);
  const { key, keyId, hash } = createKey({ namespace, name, randomBytes });
  const expiresAt = options.expires === undefined ? undefined : expiry(context, options.expires);
  const spec: APIKeySpec = {
    keyId,
    hash,
    scopes: (options.scope ?? ['inference']) as NonNullable<APIKeySpec['scopes']>,
    ...(options.deployment && { deployments: options.deployment }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
  try {
    const { signal } = context;
    const object = { apiVersion: 'infer.dev/v1alpha1', kind: 'APIKey', metadata: { namespace, name }, spec } as const;
    await client.create(apiKeys, object, { fieldManager: FIELD_MANAGER, signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    context.fail(
      `There is an APIKey ${name} in namespace ${namespace} already.`,
      `Choose another name, or remove that one first, which ends its key: infer keys revoke ${name} --delete`,
    );
  }
  if (!(await printStructured(context, { namespace, name, key, ...spec }))) context.print(key);
  context.note(`APIKey ${namespace}/${name} is made; its key is shown this once. ${validity(expiresAt)}`);
  if (options.save !== true) return;
  await save(context, { ...place, name, key, ...(gateway !== undefined && { gateway }) });
}

/** Keeps a key that somebody was given: as typed, or from standard input, and in no argument. Needs no rights. */
export async function saveApiKey(context: Context, name: string, options: GatewayOptions): Promise<void> {
  const place = await keyPlace(context);
  const gateway = givenBaseUrl(context, options);
  const asks = context.stdin.isTTY === true;
  const key = (asks ? await askHidden(context, 'API key (not shown): ') : await readStdin(context)).trim();
  if (parseKey(key) === undefined) {
    context.fail(
      `There is no API key ${asks ? 'as typed' : 'on standard input'}: a key is one word that begins with infer_, whole as it was given.`,
      'Pipe in the key alone, or type it where infer asks for it.',
      EXIT.wrongUse,
    );
  }
  await save(context, { ...place, name, key, ...(gateway !== undefined && { gateway }) });
}

async function save(context: Context, saved: SavedKey): Promise<void> {
  const path = await saveKey(context.env, saved);
  const elsewhere = saved.gateway === undefined ? '' : ` and for ${saved.gateway}`;
  const where = `namespace ${saved.namespace} of this cluster${elsewhere}`;
  context.note(`It is saved in ${path} for ${where}: infer takes it from there.`);
}

function validity(expiresAt: string | undefined): string {
  return expiresAt === undefined ? 'It does not expire.' : `It is valid until ${expiresAt}.`;
}

function expiry(context: Context, text: string): string {
  const seconds = spanSeconds(text);
  const time = seconds === undefined ? Date.parse(text) : context.now().getTime() + seconds * 1000;
  if (time > context.now().getTime()) return new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
  return context.fail(
    `--expires ${text} is no time to come.`,
    'Write how long it is to be valid (90d, 12h) or until when (2027-01-31).',
    EXIT.wrongUse,
  );
}

/** Prints the namespace's keys: all that is known of them but the keys themselves. */
export async function listApiKeys(context: Context): Promise<void> {
  const [client, place] = [await context.kube(), await keyPlace(context)];
  const { namespace } = place;
  const keys = await listAll(client, apiKeys, { namespace, signal: context.signal });
  if (await printObjects(context, apiKeys, keys)) return;
  if (keys.length === 0) {
    return context.note(`There is no key in namespace ${namespace}. Make one: infer keys create NAME --save`);
  }
  const saved = await readSavedKey(context.env, place);
  const now = context.now();
  printTable<APIKey>(
    context,
    [
      { header: 'NAME', value: ({ metadata }) => metadata.name },
      { header: 'STATE', value: ({ spec }) => keyState(spec, now) },
      { header: 'SCOPES', value: ({ spec }) => (spec.scopes ?? ['inference']).join(',') },
      { header: 'DEPLOYMENTS', value: ({ spec }) => spec.deployments?.join(',') ?? 'all', cutTo: 20, drop: 2 },
      { header: 'EXPIRES', value: ({ spec }) => spec.expiresAt ?? 'never', drop: 3 },
      { header: 'AGE', value: ({ metadata }) => age(metadata.creationTimestamp, now), drop: 1 },
      { header: 'SAVED', value: ({ metadata }) => (metadata.name === saved?.name ? 'here' : ''), drop: 0 },
      { header: 'KEY', value: ({ spec }) => `infer_${spec.keyId}_…`, wide: true },
    ],
    keys,
  );
}

function keyState({ disabled, expiresAt }: APIKeySpec, now: Date): string {
  if (disabled === true) return 'Revoked';
  return expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime() ? 'Expired' : 'Valid';
}

/**
 * Ends a key at once: gateways see the change within a second. Its resource stays, so that usage and batches keep their
 * name and nobody makes another key of that name by mistake; `delete` removes it. Throws CliFailure.
 */
export async function revokeApiKey(context: Context, name: string, options: RevokeKeyOptions): Promise<void> {
  const [client, place] = [await context.kube(), await keyPlace(context)];
  const { namespace } = place;
  const { signal } = context;
  const found = await client.get(apiKeys, { namespace, name }, { signal });
  if (found === undefined) {
    return context.fail(
      `There is no APIKey ${name} in namespace ${namespace}.`,
      'See which there are: infer keys list',
      EXIT.notFound,
    );
  }
  const removal = 'Remove its manifest in Git.';
  assertMayChange(context, found, options, options.delete === true ? removal : await inGit({ disabled: true }));
  if (options.delete === true) {
    await client.delete(apiKeys, { namespace, name }, { uid: found.metadata.uid, signal });
  } else {
    const disabled = { spec: { disabled: true } };
    await client.patch(apiKeys, { namespace, name }, disabled, { type: 'merge', fieldManager: FIELD_MANAGER, signal });
  }
  context.note(
    `The key of APIKey ${namespace}/${name} is not valid any more.${options.delete ? ' It is deleted.' : ''}`,
  );
  if (await forgetKey(context.env, place, name)) context.note('It is not saved here any more.');
}
