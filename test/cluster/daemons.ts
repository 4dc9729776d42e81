/** Programs that go on after the command that started them. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureProcessCgroup, processesBelow } from './cgroups.ts';
import { searchPath } from './command.ts';
import type { LocalLayout, LocalNode } from './state.ts';
import { waitFor } from './wait.ts';

/** A program of a cluster. */
export interface Daemon {
  /** Unique in the cluster. */
  name: string;
  command: string;
  arguments: string[];
  /** The node whose namespaces it runs in; absent means the host's. */
  node?: LocalNode;
}

/** The cgroup of a daemon; for containerd it also holds the shims that it starts. */
export function daemonCgroup(layout: LocalLayout, name: string): string {
  return `${layout.cgroup}/daemons/${name}`;
}

// The shell writes its number, which stays the program's, before it becomes the program: so a program that runs is
// always known, even when the command that started it is killed at once.
const START = 'echo $$ >"$1/cgroup.procs" && echo $$ >"$2" && shift 2 && exec "$@"';

/** Returns the number of the daemon's process, or undefined when it does not run. */
export async function daemonPid(layout: LocalLayout, name: string): Promise<number | undefined> {
  const text = await readFile(join(layout.runDirectory, `${name}.pid`), 'utf8').catch(() => '');
  const pid = Number(text);
  // A process of this number outside the cgroup is somebody else's that got the number after ours had ended.
  return text !== '' && (await processesBelow(daemonCgroup(layout, name))).includes(pid) ? pid : undefined;
}

/** Sends the signal to the daemon and returns when it has ended; does nothing when it does not run. */
export async function killDaemon(layout: LocalLayout, name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  const pid = await daemonPid(layout, name);
  if (pid === undefined) return;
  process.kill(pid, signal);
  await waitFor(`the end of ${name}`, async () => ((await daemonPid(layout, name)) === undefined ? true : undefined), {
    intervalMs: 20,
  });
}

function commandLine(daemon: Daemon): string[] {
  const { node } = daemon;
  const enter = node && ['nsenter', `--net=${node.networkNamespace}`, `--mount=${node.mountNamespace}`];
  return [...(enter ?? []), daemon.command, ...daemon.arguments];
}

/**
 * Starts the daemon unless it runs with exactly this command line; one with another command line is replaced.
 * Returns true when it was started. Its output is appended to `NAME.log`.
 */
export async function ensureDaemon(layout: LocalLayout, daemon: Daemon): Promise<boolean> {
  const wanted = commandLine(daemon);
  const commandFile = join(layout.runDirectory, `${daemon.name}.json`);
  const current = await readFile(commandFile, 'utf8').catch(() => '');
  if (current !== JSON.stringify(wanted)) {
    await killDaemon(layout, daemon.name);
    await mkdir(layout.runDirectory, { recursive: true });
    await writeFile(commandFile, JSON.stringify(wanted));
  }
  return await restartDaemon(layout, daemon.name);
}

/** Starts a daemon as it was last started, unless it runs. Returns true when it was started. */
export async function restartDaemon(layout: LocalLayout, name: string): Promise<boolean> {
  if ((await daemonPid(layout, name)) !== undefined) return false;
  const command = JSON.parse(await readFile(join(layout.runDirectory, `${name}.json`), 'utf8')) as string[];
  const pidFile = join(layout.runDirectory, `${name}.pid`);
  await rm(pidFile, { force: true });
  await mkdir(layout.logDirectory, { recursive: true });
  const cgroup = await ensureProcessCgroup(daemonCgroup(layout, name));
  const log = openSync(join(layout.logDirectory, `${name}.log`), 'a');
  const child = spawn('sh', ['-c', START, 'sh', cgroup, pidFile, ...command], {
    stdio: ['ignore', log, log],
    detached: true,
    env: { ...process.env, PATH: searchPath() },
    cwd: '/',
  });
  child.on('error', () => undefined);
  child.unref();
  closeSync(log);
  await waitFor(
    `the start of ${name}`,
    async () => (await readFile(pidFile, 'utf8').catch(() => '')).endsWith('\n') || undefined,
    { timeoutMs: 5000, intervalMs: 5 },
  );
  return true;
}

/** Throws with the end of its log when the daemon does not run. */
export async function assertRunning(layout: LocalLayout, name: string): Promise<void> {
  if ((await daemonPid(layout, name)) !== undefined) return;
  const log = join(layout.logDirectory, `${name}.log`);
  const text = await readFile(log, 'utf8').catch(() => '');
  throw new Error(`${name} has ended; the end of ${log}:\n${text.trimEnd().split('\n').slice(-10).join('\n')}`);
}
