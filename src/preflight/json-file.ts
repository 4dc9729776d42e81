import { DownloadFailure, TemporaryError } from './failure.ts';
import type { RepositoryFile } from './files.ts';
import { connectionError, type Hub } from './hub.ts';
import type { JsonObject } from './model-config.ts';
import { contentHash } from './transfer.ts';

/** Those with a list of every quantized layer have a megabyte. */
const MAX_BYTES = 8 * 1024 * 1024;

/**
 * Returns the object in a JSON file of a repository, checked against the digest that the hub lists: what a proxy says
 * in its place must not be taken for a configuration.
 * @throws DownloadFailure ModelRefused for a file that is too large or holds no object; TemporaryError as the hub.
 */
export async function readJsonFile(
  hub: Hub,
  commit: string,
  file: RepositoryFile,
  signal: AbortSignal,
): Promise<JsonObject> {
  if (file.size > MAX_BYTES) {
    throw new DownloadFailure('ModelRefused', `The file ${file.path} of the repository is too large to be read.`);
  }
  const { body } = await hub.open(commit, file, 0, signal);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of body) {
      size += part.length;
      if (size > file.size) break;
      parts.push(part);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw connectionError(error, `the source of ${file.path}`);
  }
  const content = Buffer.concat(parts);
  if (contentHash(file).update(content).digest('hex') !== file.digest.hex) {
    throw new TemporaryError(`${file.path} arrived with other content than the hub lists`);
  }
  const value = parsePythonJson(content.toString('utf8'));
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new DownloadFailure('ModelRefused', `The file ${file.path} of the repository holds no JSON object.`);
}

/** Python writes infinite numbers into JSON, as in the time_step_limit of state space models. Here they are null. */
function parsePythonJson(text: string): unknown {
  const standard = text.replaceAll(
    /("(?:[^"\\]|\\.)*")|-?\bInfinity\b|\bNaN\b/g,
    (_, string?: string) => string ?? 'null',
  );
  try {
    return JSON.parse(standard);
  } catch {
    return undefined;
  }
}
