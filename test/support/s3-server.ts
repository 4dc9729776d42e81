/** A real S3 server (Versity S3 Gateway over a folder), with a bucket and credentials of its own. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBinaries } from '../cluster/binaries.ts';
import { restartableProcess } from '../cluster/child-process.ts';
import { freePorts } from '../cluster/free-ports.ts';
import { waitFor } from '../cluster/wait.ts';
import { onSmallDisk } from './small-disk.ts';

export interface S3Server {
  readonly port: number;
  readonly bucket: string;
  /** The environment in which the SDK finds the credentials, and the store its bucket. */
  readonly environment: Record<string, string>;
  stop(): Promise<void>;
}

/** Starts a server on a free port of the loopback interface; with `diskBytes` its disk is no larger than that. */
export async function startS3Server(options: { diskBytes?: number } = {}): Promise<S3Server> {
  const { versitygw } = await ensureBinaries(['versitygw'], (line) => process.stderr.write(`${line}\n`));
  const directory = await mkdtemp(join(tmpdir(), 'infer-s3-'));
  const [port = 0] = await freePorts(1, '127.0.0.1');
  const bucket = 'infer-test';
  const accessKey = `access-${randomBytes(8).toString('hex')}`;
  const secretKey = randomBytes(20).toString('hex');
  const folder = join(directory, 'objects');
  await mkdir(join(folder, bucket), { recursive: true });
  const server = [versitygw, '--port', `127.0.0.1:${port}`, '--access', accessKey, '--secret', secretKey];
  const command = [...server, '--health', '/health', '--keep-alive', '--quiet', 'posix', folder];
  const [program = '', ...rest] =
    options.diskBytes === undefined ? command : onSmallDisk(folder, options.diskBytes, bucket, command);
  const running = restartableProcess({
    name: 'versitygw',
    command: program,
    arguments: rest,
    logFile: join(directory, 'log'),
    ready: async () =>
      await waitFor('versitygw getting ready', async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok),
  });
  await running.start();
  return {
    port,
    bucket,
    environment: {
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
      INFER_STORE_S3_BUCKET: bucket,
      INFER_STORE_S3_ENDPOINT: `http://127.0.0.1:${port}`,
      INFER_STORE_S3_PREFIX: 'some/prefix',
    },
    stop: async () => {
      await running.kill('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}
