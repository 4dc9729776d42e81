/** A real kube-apiserver with etcd for tests, without a node: starts in seconds and needs no root. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiServerReady } from './api-server-ready.ts';
import { ensureBinaries } from './binaries.ts';
import type { BinaryName } from './binaries.ts';
import { ensureCertificate } from './certificates.ts';
import { restartableProcess } from './child-process.ts';
import type { RestartableProcess } from './child-process.ts';
import {
  apiServerArguments,
  controllerManagerArguments,
  etcdArguments,
  schedulerArguments,
} from './control-plane-arguments.ts';
import { freePorts } from './free-ports.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { ensureControlPlaneKeys } from './pki.ts';
import { waitFor } from './wait.ts';

/** How `startControlPlane` starts; everything has a default. */
export interface ControlPlaneOptions {
  /** Keys, data and logs; kept at stop. Absent means a fresh temporary folder, removed at stop. */
  directory?: string;
  /** Also run kube-controller-manager (default false). */
  controllerManager?: boolean;
  /** Also run kube-scheduler (default false). */
  scheduler?: boolean;
  /** Default 127.0.0.1. */
  bindAddress?: string;
  /** Called with each step that takes long, such as building the binaries for the first time. */
  progress?: (line: string) => void;
}

/** A user of the API server as its client certificate names it. */
export interface ControlPlaneUser {
  name: string;
  groups: string[];
}

/** A running control plane. */
export interface ControlPlane {
  /** `https://HOST:PORT` of the API server; stays the same when it is started again. */
  url: string;
  /** Path of a kubeconfig of the group system:masters. */
  kubeconfig: string;
  caFile: string;
  /** Verifies the ServiceAccount tokens that the API server signs. */
  serviceAccountKey: { privateFile: string; publicFile: string };
  /** Path of kubectl. */
  kubectl: string;
  /** Logs are `NAME.log` in here. */
  directory: string;
  apiServer: RestartableProcess;
  etcd: RestartableProcess;
  controllerManager: RestartableProcess | undefined;
  scheduler: RestartableProcess | undefined;
  /** Returns the path of a kubeconfig with a client certificate of this user. RBAC decides what it may do. */
  kubeconfigFor(user: ControlPlaneUser): Promise<string>;
  /** Ends every process; the data goes with them unless `directory` was given. */
  stop(): Promise<void>;
}

/** Addresses that no network has to route: nothing runs behind the Services of a control plane without nodes. */
const SERVICE_RANGE = '10.96.0.0/16';
const FIRST_SERVICE_ADDRESS = '10.96.0.1';

async function alwaysReady(): Promise<void> {}

/**
 * Starts etcd and kube-apiserver (and what the options ask for) on free ports and returns when /readyz answers 200.
 * The processes end with this process. Throws with the end of a log when a program does not start, and a UserError
 * when a tool is missing.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const names: BinaryName[] = ['etcd', 'kube-apiserver', 'kubectl'];
  if (options.controllerManager === true) names.push('kube-controller-manager');
  if (options.scheduler === true) names.push('kube-scheduler');
  const binaries = await ensureBinaries(names, options.progress);
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'infer-control-plane-')));
  await mkdir(directory, { recursive: true });

  const bindAddress = options.bindAddress ?? '127.0.0.1';
  const keyDirectory = join(directory, 'keys');
  const keys = await ensureControlPlaneKeys(keyDirectory, [bindAddress, FIRST_SERVICE_ADDRESS]);
  const [apiServerPort = 0, etcdPort = 0, etcdPeerPort = 0] = await freePorts(3, bindAddress);
  const addresses = { bindAddress, apiServerPort, etcdPort, etcdPeerPort, serviceRange: SERVICE_RANGE };
  const url = `https://${bindAddress}:${apiServerPort}`;
  const caFile = keys.authority.certificateFile;
  const kubeconfigOf = async (name: string, client: { certificateFile: string; keyFile: string }): Promise<string> => {
    const file = join(directory, `${name}.kubeconfig`);
    await writeKubeconfig(file, { name, url, caFile, client });
    return file;
  };
  const program = (name: BinaryName, argumentList: string[], ready: () => Promise<unknown>): RestartableProcess =>
    restartableProcess({
      name,
      command: binaries[name],
      arguments: argumentList,
      logFile: join(directory, `${name}.log`),
      ready,
    });

  // kube-apiserver waits for etcd by itself, so its readiness is also etcd's.
  const etcd = program('etcd', etcdArguments(join(directory, 'etcd'), addresses, keys), alwaysReady);
  const apiServer = program('kube-apiserver', apiServerArguments(addresses, keys), async () =>
    waitFor(`kube-apiserver at ${url} getting ready`, async () => await apiServerReady(url, caFile), {
      timeoutMs: 60_000,
      intervalMs: 50,
    }),
  );
  const controllerManager =
    options.controllerManager === true
      ? program(
          'kube-controller-manager',
          [
            ...controllerManagerArguments(await kubeconfigOf('controller-manager', keys.controllerManager), keys),
            // Here are no nodes. It would end every 20 s what terminates on none, as tests have pods of gateways do.
            '--controllers=*,-pod-garbage-collector-controller',
          ],
          alwaysReady,
        )
      : undefined;
  const scheduler =
    options.scheduler === true
      ? program('kube-scheduler', schedulerArguments(await kubeconfigOf('scheduler', keys.scheduler)), alwaysReady)
      : undefined;

  const stop = async (): Promise<void> => {
    await Promise.all([controllerManager?.kill('SIGKILL'), scheduler?.kill('SIGKILL'), apiServer.kill('SIGKILL')]);
    await etcd.kill('SIGKILL');
    if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
  };
  try {
    await etcd.start();
    await apiServer.start();
    await controllerManager?.start();
    await scheduler?.start();
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    url,
    kubeconfig: await kubeconfigOf('admin', keys.admin),
    caFile,
    serviceAccountKey: keys.serviceAccount,
    kubectl: binaries.kubectl,
    directory,
    apiServer,
    etcd,
    controllerManager,
    scheduler,
    async kubeconfigFor(user) {
      const digest = createHash('sha256').update(JSON.stringify(user)).digest('hex').slice(0, 16);
      const client = await ensureCertificate(join(keyDirectory, `user-${digest}`), {
        commonName: user.name,
        organizations: user.groups,
        issuer: keys.authority,
      });
      return await kubeconfigOf(`user-${digest}`, client);
    },
    stop,
  };
}
