import { mkdir, readFile, rename, rm, stat, statfs, writeFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DownloadFailure, diskFailure } from './failure.ts';
import {
  checkModelId,
  checkRevision,
  checkToken,
  chooseAdapterFiles,
  chooseFiles,
  OWN_DIRECTORY,
  total,
  type RepositoryFile,
  type RepositoryKind,
} from './files.ts';
import { Hub } from './hub.ts';
import { RETRY, retrying, type RetryPolicy } from './retry.ts';
import { isPresent, syncDirectory, transferFile } from './transfer.ts';

export interface DownloadOptions {
  /** `owner/name` on the hub. */
  readonly model: string;
  /** Absent means a model. */
  readonly kind?: RepositoryKind;
  /** Branch, tag or commit. */
  readonly revision: string;
  readonly endpoint: string;
  /** Where the files go; made if absent. */
  readonly directory: string;
  /** The most that the model may take there, in bytes; absent means what the volume has. */
  readonly maxBytes?: number | undefined;
  readonly token?: string | undefined;
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly policy?: RetryPolicy;
}

export interface DownloadResult {
  readonly commit: string;
  readonly files: number;
  /** Size of the model, and how much of it this run received. */
  readonly bytes: number;
  readonly receivedBytes: number;
}

/** Written last: while it is there, all of the model is. */
interface Marker {
  readonly model: string;
  readonly revision: string;
  readonly commit: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

const PARALLEL = 4;
const MARKER = join(OWN_DIRECTORY, 'download.json');

/**
 * Brings the files of a model, or of a LoRA adapter, from the hub into a directory, at the one commit that the revision names when it begins.
 * It can be killed at any moment and run again: whole files stay, a partial one is continued. Once all is there,
 * another run asks the hub nothing, so that a pod restarts while the hub is away and keeps its commit.
 * @throws DownloadFailure with the reason and a sentence for the user.
 */
export async function downloadModel(options: DownloadOptions): Promise<DownloadResult> {
  const { model, kind = 'model', revision, directory } = options;
  checkModelId(model);
  checkRevision(revision);
  const token = options.token === undefined ? undefined : checkToken(options.token);
  const log = options.log ?? (() => {});
  const hub = new Hub({ endpoint: options.endpoint, token, model, kind });
  try {
    const marker = await readMarker(directory);
    if (marker?.model === model && marker.revision === revision && (await isComplete(directory, marker))) {
      log(`${model} is here already, at commit ${marker.commit}.`);
      return { commit: marker.commit, files: marker.files.length, bytes: total(marker.files), receivedBytes: 0 };
    }
    return await download({ ...options, kind, log, hub, previous: marker });
  } catch (error) {
    throw diskFailure(error, directory) ?? error;
  } finally {
    await hub.close();
  }
}

interface Run extends DownloadOptions {
  readonly kind: RepositoryKind;
  readonly log: (line: string) => void;
  readonly hub: Hub;
  readonly previous: Marker | undefined;
}

async function download(run: Run): Promise<DownloadResult> {
  const { model, kind, revision, directory, hub, log } = run;
  const policy = run.policy ?? RETRY;
  const stop = new AbortController();
  const signal = run.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, run.signal]);
  const commit = await retrying(`Asking for ${model}`, policy, signal, () => hub.resolve(revision, signal));
  const listed = await retrying(`Listing ${model}`, policy, signal, () => hub.list(commit, signal));
  const files = kind === 'model' ? chooseFiles(model, listed) : chooseAdapterFiles(model, listed);
  const title = `${kind} ${model}`;
  const bytes = total(files);
  checkLimit(title, bytes, run.maxBytes);
  log(`Downloading ${model} at commit ${commit}: ${files.length} files, ${gigabytes(bytes)} GB.`);

  await mkdir(join(directory, OWN_DIRECTORY), { recursive: true });
  await forget(directory, run.previous, files);
  const missing = await absentFiles(directory, files);
  await checkSpace(title, directory, missing);
  const progress = new Progress(bytes, log);
  progress.moved(bytes - total(missing));
  let receivedBytes = 0;
  // The largest first: the end of the download is then not one long file alone.
  const queue = missing.toSorted((a, b) => b.size - a.size);
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const current = file;
      await transferFile({
        directory,
        file: current,
        policy,
        signal,
        open: (start) => hub.open(commit, current, start, signal),
        moved: (count, received) => {
          progress.moved(count);
          receivedBytes += received;
        },
      });
    }
  };
  await allOrNone(Array.from({ length: PARALLEL }, worker), stop);
  await rm(join(directory, OWN_DIRECTORY, 'partial'), { recursive: true, force: true });
  const list = files.map(({ path, size }) => ({ path, size }));
  await writeMarker(directory, { model, revision, commit, files: list });
  log(`${model} is complete.`);
  return { commit, files: files.length, bytes, receivedBytes };
}

/** Waits for all; the first failure stops the others, and is thrown once they have ended. */
async function allOrNone(workers: readonly Promise<void>[], stop: AbortController): Promise<void> {
  const errors: unknown[] = [];
  await Promise.all(
    workers.map((worker) =>
      worker.catch((error: unknown) => {
        errors.push(error);
        stop.abort();
      }),
    ),
  );
  if (errors.length > 0) throw errors[0];
}

async function absentFiles(directory: string, files: readonly RepositoryFile[]): Promise<RepositoryFile[]> {
  const absent: RepositoryFile[] = [];
  for (const file of files) {
    if (!(await isPresent(directory, file))) absent.push(file);
  }
  return absent;
}

/** Without this check the kubelet evicts the pod at the limit, and the next one downloads the same again, for ever. */
function checkLimit(title: string, bytes: number, maxBytes: number | undefined): void {
  if (maxBytes === undefined || bytes <= maxBytes) return;
  throw new DownloadFailure(
    'DiskFull',
    `The ${title} has ${gigabytes(bytes)} GB, and its cache may hold ${gigabytes(maxBytes)} GB: ` +
      'raise modelCache.sizeLimit of the HardwareProfile.',
  );
}

/** Without this check a volume is filled for an hour before it turns out to be too small. */
async function checkSpace(title: string, directory: string, missing: readonly RepositoryFile[]): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  let needed = 0;
  for (const { size, digest } of missing) {
    const partial = await stat(join(directory, OWN_DIRECTORY, 'partial', digest.hex)).catch(() => undefined);
    needed += Math.max(0, size - (partial?.size ?? 0));
  }
  if (needed <= bavail * bsize) return;
  throw new DownloadFailure(
    'DiskFull',
    `The ${title} needs ${gigabytes(needed)} GB more than are stored, and the volume at ${directory} has ` +
      `${gigabytes(bavail * bsize)} GB left: give the hardware profile a larger model cache.`,
  );
}

async function readMarker(directory: string): Promise<Marker | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, MARKER), 'utf8')) as Marker;
  } catch {
    return undefined; // absent, or cut by a crash: then the files are checked one by one
  }
}

async function isComplete(directory: string, marker: Marker): Promise<boolean> {
  for (const { path, size } of marker.files) {
    const found = await stat(join(directory, path)).catch(() => undefined);
    if (found?.size !== size) return false;
  }
  return true;
}

/** Another model, or another commit of it, lay here: its marker no longer holds, nor do files that only it has. */
async function forget(
  directory: string,
  previous: Marker | undefined,
  files: readonly RepositoryFile[],
): Promise<void> {
  await rm(join(directory, MARKER), { force: true });
  const wanted = new Set(files.map(({ path }) => path));
  for (const { path } of previous?.files ?? []) {
    if (!wanted.has(path)) await rm(join(directory, path), { force: true });
  }
}

async function writeMarker(directory: string, marker: Marker): Promise<void> {
  const path = join(directory, MARKER);
  const temporary = `${path}.new`;
  await writeFile(temporary, `${JSON.stringify(marker, null, 2)}\n`);
  const handle = await open(temporary, 'r');
  await handle.sync();
  await handle.close();
  await rename(temporary, path);
  await syncDirectory(join(directory, OWN_DIRECTORY));
}

/** Says how far the download is, once for each tenth. */
class Progress {
  readonly #total: number;
  readonly #log: (line: string) => void;
  #done = 0;
  #tenths = 0;

  constructor(bytes: number, log: (line: string) => void) {
    this.#total = bytes;
    this.#log = log;
  }

  moved(bytes: number): void {
    this.#done += bytes;
    const tenths = Math.floor((10 * this.#done) / Math.max(1, this.#total));
    if (tenths <= this.#tenths) return;
    this.#tenths = tenths;
    this.#log(`Downloaded ${tenths * 10} % (${gigabytes(this.#done)} of ${gigabytes(this.#total)} GB).`);
  }
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(bytes < 1e8 ? 4 : 1);
}
