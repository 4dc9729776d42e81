/** Argo CD's own health and diff engines, asked without an Argo CD (test/cluster/go/argocd). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { KubeObject } from '../../src/kube/types.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { run } from '../cluster/command.ts';
import { repositoryRoot } from '../cluster/paths.ts';

export interface ArgoHealth {
  status: string;
  message?: string;
}

export interface ArgoPair {
  target: object;
  live: object;
  /** What the API server answers to a dry run of applying the target; without it the three-way diff is asked. */
  predicted?: object;
}

export interface ArgoDifference {
  outOfSync: boolean;
  live?: KubeObject;
  predicted?: KubeObject;
}

async function ask(command: 'health' | 'diff', input: unknown): Promise<unknown> {
  const { argocd } = await ensureBinaries(['argocd'], (line) => process.stderr.write(`${line}\n`));
  return JSON.parse(await run(argocd, [command], { input: JSON.stringify(input), timeoutMs: 30_000 }));
}

/** Returns the health of each object with the shipped customizations; null where Argo CD knows none. */
export async function argoHealth(objects: readonly object[]): Promise<(ArgoHealth | null)[]> {
  const config: unknown = parse(readFileSync(join(repositoryRoot, 'manifests/argocd/argocd-cm.yaml'), 'utf8'));
  return (await ask('health', { config, objects })) as (ArgoHealth | null)[];
}

/** Returns for each pair whether Argo CD shows it as OutOfSync, and both sides where it does. */
export async function argoDifferences(pairs: readonly ArgoPair[]): Promise<ArgoDifference[]> {
  return (await ask('diff', pairs)) as ArgoDifference[];
}
