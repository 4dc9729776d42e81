/** The processes that are compared, each on a port of its own; all end with this process. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCommand } from '../../test/cluster/command.ts';
import { freePorts } from '../../test/cluster/free-ports.ts';
import { ensurePackages } from '../../test/cluster/packages.ts';
import { waitFor } from '../../test/cluster/wait.ts';

export interface Target {
  name: string;
  port: number;
  /** Of the process that does the work. */
  pid: number;
  stop(): Promise<void>;
}

/** Ticks of the kernel in a second: 100 on every Linux that Node runs on. */
const TICKS = 100;

/** Returns the processor time that the process has used, in seconds. */
export function cpuSeconds(pid: number): number {
  // The name of the program, in parentheses, may hold spaces; user and system time are the 12th and 13th after it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, 'exit');
}

/** Starts a module of this folder and waits for its port. */
export async function startModule(name: string, file: string, environment: Record<string, string>): Promise<Target> {
  const child = fork(join(import.meta.dirname, file), {
    env: { ...process.env, NODE_ENV: 'production', ...environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve((message as unknown as { port: number }).port));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code} before it had a port.`)));
  });
  return { name, port, pid: child.pid ?? 0, stop: async () => await end(child) };
}

function nginxConfiguration(directory: string, port: number, enginePort: number): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr crit;
events { worker_connections 4096; }
http {
  access_log off;
  ${folders.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n  ')}
  client_body_buffer_size 1m;
  upstream engine {
    server 127.0.0.1:${enginePort};
    keepalive 256;
    keepalive_requests 1000000;
  }
  server {
    listen 127.0.0.1:${port};
    keepalive_requests 1000000;
    location / {
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;
}

/** Starts nginx as one process before the engine. Throws when it is not installed and cannot be. */
export async function startNginx(enginePort: number, progress: (line: string) => void): Promise<Target> {
  if (findCommand('nginx') === undefined) await ensurePackages(['nginx'], 'to compare with', progress);
  const directory = await mkdtemp(join(tmpdir(), 'infer-bench-nginx-'));
  const [port = 0] = await freePorts(1, '127.0.0.1');
  const file = join(directory, 'nginx.conf');
  await writeFile(file, nginxConfiguration(directory, port, enginePort));
  const nginx = [findCommand('nginx') ?? 'nginx', '-p', directory, '-c', file, '-e', 'stderr'];
  // setpriv asks the kernel to end it with this process, then becomes nginx.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...nginx], { stdio: ['ignore', 'inherit', 'inherit'] });
  const stop = async (): Promise<void> => {
    await end(child);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await waitFor('nginx answering', async () => await fetch(`http://127.0.0.1:${port}/`), { timeoutMs: 5_000 });
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'nginx', port, pid: child.pid ?? 0, stop };
}
