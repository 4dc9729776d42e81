/** Which cluster and namespace a command speaks to, chosen as kubectl chooses them. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { KubeClient } from '../../kube/client.ts';
import type { GlobalOptions } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { CliFailure } from '../failure.ts';

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

export interface Cluster {
  client: KubeClient;
  kubeConfig: KubeConfig;
  namespace: string;
}

/** Returns the cluster that flags and environment choose. Throws CliFailure where they choose none. */
export function openCluster(env: Record<string, string | undefined>, options: GlobalOptions): Cluster {
  const kubeConfig = loadKubeConfig(env, options.kubeconfig);
  if (options.context !== undefined) chooseContext(kubeConfig, options.context);
  const context = kubeConfig.getContextObject(kubeConfig.getCurrentContext());
  try {
    const client = KubeClient.fromKubeConfig(kubeConfig, { userAgent: 'infer-cli', requestTimeoutMs: 15_000 });
    return { client, kubeConfig, namespace: context?.namespace ?? 'default' };
  } catch (error) {
    throw new CliFailure(
      error instanceof Error ? error.message : String(error),
      'Choose a context: kubectl config use-context NAME, or --context NAME.',
      EXIT.unreachable,
      { cause: error },
    );
  }
}

function loadKubeConfig(env: Record<string, string | undefined>, flag: string | undefined): KubeConfig {
  const wanted = flag ?? env['KUBECONFIG'] ?? '';
  const named = (flag === undefined ? wanted.split(delimiter) : [flag]).filter((file) => file !== '');
  const files = (named.length === 0 ? [join(homedir(), '.kube', 'config')] : named).filter((file) => existsSync(file));
  if (files.length === 0) {
    if (named.length === 0 && existsSync(SERVICE_ACCOUNT_TOKEN)) {
      const kubeConfig = new KubeConfig();
      kubeConfig.loadFromCluster();
      return kubeConfig;
    }
    throw new CliFailure(
      named.length === 0
        ? 'No kubeconfig: there is no ~/.kube/config, and KUBECONFIG is not set.'
        : `No kubeconfig: ${named.join(', ')} does not exist.`,
      'Name one: export KUBECONFIG=FILE, or --kubeconfig FILE. Your cloud writes one, for example by "aws eks update-kubeconfig".',
      EXIT.unreachable,
    );
  }
  return merged(files.map(readFile));
}

/** As kubectl does: the first of a name counts, and the first current context that is set. */
function merged(parts: readonly KubeConfig[]): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromOptions({
    clusters: firstOfName(parts.flatMap(({ clusters }) => clusters)),
    users: firstOfName(parts.flatMap(({ users }) => users)),
    contexts: firstOfName(parts.flatMap(({ contexts }) => contexts)),
    currentContext: parts.map(({ currentContext }) => currentContext).find(Boolean) ?? '',
  });
  return kubeConfig;
}

function firstOfName<T extends { name: string }>(all: readonly T[]): T[] {
  const names = new Set<string>();
  return all.filter(({ name }) => !names.has(name) && names.add(name));
}

function readFile(file: string): KubeConfig {
  const kubeConfig = new KubeConfig();
  try {
    kubeConfig.loadFromFile(file);
    return kubeConfig;
  } catch (error) {
    throw new CliFailure(
      `The kubeconfig ${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'Mend the file, or name another one by --kubeconfig FILE.',
      EXIT.unreachable,
      { cause: error },
    );
  }
}

function chooseContext(kubeConfig: KubeConfig, name: string): void {
  if (kubeConfig.getContextObject(name) === null) {
    const names = kubeConfig.getContexts().map((context) => context.name);
    throw new CliFailure(
      `The kubeconfig has no context ${name}.`,
      names.length === 0
        ? 'It has none at all: name another one by --kubeconfig FILE.'
        : `It has: ${names.join(', ')}.`,
      EXIT.wrongUse,
    );
  }
  kubeConfig.setCurrentContext(name);
}
