/** Answers the shell: nothing at all where something is wrong, since a shell has no place for a complaint. */
import { inferenceDeployments } from '../../api/resources.ts';
import { listAll } from '../cluster/find.ts';
import { readCatalogue, readProfiles } from '../cluster/install.ts';
import { createContext } from '../context.ts';
import type { Context, GlobalOptions, Host } from '../context.ts';
import { createProgram } from '../program.ts';
import { candidates } from './words.ts';
import type { Lookup } from './words.ts';

/** Longer than that nobody waits for a key. */
const LOOKUP_MS = 2000;

/** Prints a line for each completion of the last of `words`. */
export async function complete(words: readonly string[], host: Host): Promise<void> {
  const current = words.at(-1) ?? '';
  const { words: known, lookup } = candidates(createProgram(host), words);
  const found = lookup === undefined ? known : await namesOf(lookup, words, host);
  const matching = found.filter((word) => word.startsWith(current) && word !== '');
  if (matching.length > 0) host.stdout.write(`${matching.join('\n')}\n`);
}

async function namesOf(lookup: Lookup, words: readonly string[], host: Host): Promise<string[]> {
  const signal = AbortSignal.any([host.signal, AbortSignal.timeout(LOOKUP_MS)]);
  const context = createContext({ ...host, signal }, globalOptions(words));
  try {
    return (await read(lookup, context)).map(({ metadata }) => metadata.name);
  } catch {
    return [];
  } finally {
    await context.close();
  }
}

async function read(lookup: Lookup, context: Context): Promise<{ metadata: { name: string } }[]> {
  if (lookup === 'profile') return (await readProfiles(context)) ?? [];
  if (lookup === 'model') return (await readCatalogue(context)) ?? [];
  const scope = { namespace: await context.namespace(), signal: context.signal };
  return await listAll(await context.kube(), inferenceDeployments, scope);
}

/** The flags that choose the cluster, as far as they are written already. */
function globalOptions(words: readonly string[]): GlobalOptions {
  const valueOf = (...names: string[]): string | undefined => {
    const at = words.findIndex((word) => names.includes(word));
    if (at !== -1 && at + 1 < words.length - 1) return words[at + 1];
    return words.find((word) => names.some((name) => word.startsWith(`${name}=`)))?.split('=')[1];
  };
  const kubeconfig = valueOf('--kubeconfig');
  const context = valueOf('--context');
  const namespace = valueOf('-n', '--namespace');
  return {
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
    ...(namespace !== undefined && { namespace }),
  };
}
