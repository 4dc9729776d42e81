/**
 * Builds the programs of a Kubernetes cluster, Argo CD's engines and an S3 server from pinned Go modules (test/cluster/go),
 * once per version.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run, tryRun } from './command.ts';
import { withLock } from './lock.ts';
import { cacheDirectory } from './paths.ts';
import { UserError } from './user-error.ts';

/** The Kubernetes release of every binary; the same as in test/cluster/go/kubernetes/go.mod. */
export const KUBERNETES_VERSION = 'v1.34.4';

const KUBERNETES_BINARIES = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubectl',
] as const;

/** A program that `ensureBinaries` can build. */
export type BinaryName = (typeof KUBERNETES_BINARIES)[number] | 'etcd' | 'coredns' | 'pause' | 'argocd' | 'versitygw';

/** Every program of a cluster, in the order in which it needs them. */
export const ALL_BINARIES: BinaryName[] = ['pause', 'etcd', ...KUBERNETES_BINARIES, 'coredns'];

interface Source {
  /** The folder below test/cluster/go whose go.mod pins it, or that holds its source. */
  module: string;
  mainPackage: string;
  linkerFlags: string;
}

function sourceOf(name: BinaryName): Source {
  if (name === 'etcd') return { module: 'etcd', mainPackage: 'go.etcd.io/etcd/server/v3', linkerFlags: '-s -w' };
  if (name === 'coredns') return { module: 'coredns', mainPackage: 'github.com/coredns/coredns', linkerFlags: '-s -w' };
  if (name === 'versitygw') {
    return { module: name, mainPackage: 'github.com/versity/versitygw/cmd/versitygw', linkerFlags: '-s -w' };
  }
  if (name === 'pause' || name === 'argocd') return { module: name, mainPackage: '.', linkerFlags: '-s -w' };
  const [major, minor] = KUBERNETES_VERSION.slice(1).split('.');
  const variable = '-X k8s.io/component-base/version';
  return {
    module: 'kubernetes',
    mainPackage: `k8s.io/kubernetes/cmd/${name}`,
    linkerFlags: `-s -w ${variable}.gitVersion=${KUBERNETES_VERSION} ${variable}.gitMajor=${major} ${variable}.gitMinor=${minor}`,
  };
}

function sourceDirectory(source: Source): string {
  return join(import.meta.dirname, 'go', source.module);
}

/** Without cgo the programs are static: they need no C compiler to build and run in an empty image. */
const GO_ENVIRONMENT = { CGO_ENABLED: '0' };

function buildArguments(source: Source): string[] {
  return ['build', '-trimpath', '-buildvcs=false', '-ldflags', source.linkerFlags];
}

async function goVersion(): Promise<string> {
  const { code, stdout, stderr } = await tryRun('go', ['version']).catch(() => {
    throw new UserError(
      'Go is not installed: the cluster is built from Go modules. Install Go 1.26 or newer (https://go.dev/dl) and put it on PATH.',
    );
  });
  if (code !== 0) throw new UserError(`\`go version\` failed: ${stderr.trim()}. Repair the Go installation first.`);
  return stdout.trim();
}

/** The path names everything that decides the built bytes, so a file that exists never has to be built again. */
async function binaryPath(name: BinaryName, version: string): Promise<string> {
  const source = sourceOf(name);
  const hash = createHash('sha256');
  const directory = sourceDirectory(source);
  for (const file of (await readdir(directory)).sort()) hash.update(file).update(await readFile(join(directory, file)));
  hash.update(JSON.stringify([buildArguments(source), GO_ENVIRONMENT, version]));
  return join(cacheDirectory(), 'bin', hash.digest('hex').slice(0, 16), name);
}

async function build(name: BinaryName, path: string): Promise<void> {
  const source = sourceOf(name);
  const unfinished = `${path}.${randomUUID()}`;
  await mkdir(join(path, '..'), { recursive: true });
  try {
    await run('go', [...buildArguments(source), '-o', unfinished, source.mainPackage], {
      cwd: sourceDirectory(source),
      env: GO_ENVIRONMENT,
    });
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/**
 * Returns the absolute path of each program, building those that are not in the cache, one at a time (a build uses all
 * cores). Two processes never build at once; the second one finds what the first one built.
 * Throws a UserError when Go is missing, and an Error with the compiler's last lines when a build fails.
 */
export async function ensureBinaries<Name extends BinaryName>(
  names: readonly Name[],
  progress: (line: string) => void = () => undefined,
): Promise<Record<Name, string>> {
  const version = await goVersion();
  const entries: [Name, string][] = [];
  for (const name of names) entries.push([name, await binaryPath(name, version)]);
  const missing = entries.filter(([, path]) => !existsSync(path));
  if (missing.length > 0) {
    const waiting = (): void => progress('waiting for another process that builds the cluster');
    await withLock(join(cacheDirectory(), 'bin', 'build.lock'), waiting, async () => {
      for (const [index, [name, path]] of missing.entries()) {
        if (existsSync(path)) continue;
        progress(`building ${name} (${index + 1}/${missing.length}), takes up to 7 minutes the first time`);
        const started = Date.now();
        await build(name, path);
        progress(`built ${name} in ${Math.round((Date.now() - started) / 1000)} s`);
      }
    });
  }
  return Object.fromEntries(entries) as Record<Name, string>;
}
