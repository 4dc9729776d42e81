/** What a command works with: its streams, its flags, and the cluster that they name. */
import type { KubeConfig } from '@kubernetes/client-node';
import type { KubeClient } from '../kube/client.ts';
import type { Cluster } from './cluster/kubeconfig.ts';
import { CliFailure } from './failure.ts';
import { printable } from './printable.ts';
import type { ExitCode } from './exit-codes.ts';

export const OUTPUT_FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** The flags that every command takes. */
export interface GlobalOptions {
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  output?: OutputFormat;
}

/** The process as a command sees it; tests give another one. */
export interface Host {
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };
  stderr: NodeJS.WritableStream & { isTTY?: boolean };
  stdin: NodeJS.ReadableStream & { isTTY?: boolean; fd?: number; setRawMode?: (raw: boolean) => unknown };
  env: Record<string, string | undefined>;
  now: () => Date;
  /** Aborts when the user presses Ctrl-C. */
  signal: AbortSignal;
}

export interface Context extends Host {
  readonly output: OutputFormat;
  /** Whether standard output is a terminal: only then is anything redrawn, cut to its width or coloured. */
  readonly isTerminal: boolean;
  /** Characters in a line of the terminal; Infinity in a pipe. */
  readonly columns: number;
  readonly isColoured: boolean;
  /** Writes a line to standard output. */
  print: (line: string) => void;
  /** Writes a line to standard error: what a pipe is not to get. */
  note: (line: string) => void;
  /** Returns the client of the chosen cluster, made at the first call. Throws CliFailure without a kubeconfig. */
  kube: () => Promise<KubeClient>;
  kubeConfig: () => Promise<KubeConfig>;
  /** Returns the namespace by -n, else that of the kubeconfig's context, else `default`. */
  namespace: () => Promise<string>;
  /** Throws CliFailure. */
  fail: (message: string, next: string, exitCode?: ExitCode) => never;
  /** Ends connections. */
  close: () => Promise<void>;
}

/** Returns the context of one command with the given flags. */
export function createContext(host: Host, options: GlobalOptions): Context {
  let opened: Promise<Cluster> | undefined;
  const cluster = async (): Promise<Cluster> => {
    opened ??= import('./cluster/kubeconfig.ts').then(({ openCluster }) => openCluster(host.env, options));
    return await opened;
  };
  const isTerminal = host.stdout.isTTY === true;
  return {
    ...host,
    output: options.output ?? 'table',
    isTerminal,
    columns: isTerminal ? (host.stdout.columns ?? 80) : Infinity,
    isColoured: isTerminal && !host.env['NO_COLOR'] && host.env['TERM'] !== 'dumb',
    print: (line) => void host.stdout.write(`${line}\n`),
    note: (line) => void host.stderr.write(`${printable(line)}\n`),
    kube: async () => (await cluster()).client,
    kubeConfig: async () => (await cluster()).kubeConfig,
    namespace: async () => options.namespace ?? (await cluster()).namespace,
    fail: (message, next, exitCode) => {
      throw new CliFailure(message, next, exitCode);
    },
    close: async () => {
      await (await opened?.catch(() => undefined))?.client.close();
    },
  };
}
