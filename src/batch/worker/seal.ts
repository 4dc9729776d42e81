/** What the files of a batch are made of, fixed once: whoever puts them together then, and however often, makes the same. */
import type { InferenceBatchStatusRequests, InferenceBatchStatusUsage } from '../../api/generated/inference-batch.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { listParts, readParts } from './parts.ts';
import type { Part } from './parts.ts';
import { NO_USAGE, addUsage, readResult } from './result-lines.ts';

/** The parts in their order, and which of their lines (the first is 0) are second results of a request. */
export interface Manifest {
  readonly parts: readonly (Part & { readonly repeated?: readonly number[] })[];
}

/** What the results of a batch are so far. */
export interface Results {
  readonly manifest: Manifest;
  /** Of the requests that have a result. */
  readonly customIds: ReadonlySet<string>;
  readonly requests: Pick<InferenceBatchStatusRequests, 'completed' | 'failed'>;
  readonly usage: InferenceBatchStatusUsage;
  /** Whether a request was given up because the window was over. */
  readonly expired: boolean;
}

/** The code of a request that was not done within the window. */
export const EXPIRED_CODE = 'batch_expired';

/** Reads all parts of a batch; of two results of one request the first counts. */
export async function readResults(store: ObjectStore, prefix: string, signal: AbortSignal): Promise<Results> {
  const customIds = new Set<string>();
  const requests = { completed: 0, failed: 0 };
  let usage = NO_USAGE;
  let expired = false;
  const parts: (Part & { repeated?: number[] })[] = [];
  for await (const [part, lines] of readParts(store, prefix, await listParts(store, prefix, signal), signal)) {
    const repeated: number[] = [];
    let number = 0;
    for await (const line of lines) {
      const result = readResult(line);
      if (customIds.has(result.customId)) repeated.push(number);
      else {
        customIds.add(result.customId);
        requests[part.kind === 'output' ? 'completed' : 'failed'] += 1;
        usage = addUsage(usage, result.usage);
        expired ||= result.errorCode === EXPIRED_CODE;
      }
      number += 1;
    }
    parts.push(repeated.length === 0 ? part : { ...part, repeated });
  }
  return { manifest: { parts }, customIds, requests, usage, expired };
}

/** Yields the content of one of the files. Throws Error where a part is gone. */
export async function* fileContent(
  store: ObjectStore,
  prefix: string,
  manifest: Manifest,
  kind: Part['kind'],
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const parts = manifest.parts.filter((part) => part.kind === kind);
  for await (const [part, lines] of readParts(store, prefix, parts, signal)) {
    const repeated = new Set(part.repeated);
    let number = 0;
    for await (const line of lines) {
      if (!repeated.has(number)) yield Buffer.concat([line, Buffer.from('\n')]);
      number += 1;
    }
  }
}
