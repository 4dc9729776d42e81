/** The API of files and batches in this process, over a folder and batches that a test holds in memory. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { InferenceBatch } from '../../src/api/generated/inference-batch.ts';
import { BatchView } from '../../src/batch/batches/batch-view.ts';
import { FileRepository } from '../../src/batch/files/file-repository.ts';
import type { BatchLimits } from '../../src/batch/limits.ts';
import { BatchApiMetrics } from '../../src/batch/metrics.ts';
import { createBatchApi, type BatchApiOptions } from '../../src/batch/server.ts';
import { TimedIds } from '../../src/batch/timed-ids.ts';
import { UsageRecords } from '../../src/batch/usage/usage-records.ts';
import { ApiError } from '../../src/kube/errors.ts';
import type { Change } from '../../src/kube/informer.ts';
import { objectKey, type KubeObject, type ObjectReference } from '../../src/kube/types.ts';
import { openFolderStore } from '../../src/store/folder-store.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';

export const NAMESPACE = 'team-a';

/** The API server and the informer, as one map. */
export class FakeBatches {
  readonly stored = new Map<string, InferenceBatch>();
  #version = 0;

  /** Where set, every call throws it. */
  failure: Error | undefined;

  /** Stores a batch as if kubectl had made it, and returns it. */
  add(name: string, { spec, status }: Partial<InferenceBatch> = {}, namespace = NAMESPACE): InferenceBatch {
    return this.#put({
      metadata: { namespace, name, uid: `uid-${name}`, creationTimestamp: new Date().toISOString() },
      spec: spec ?? { inputFileId: `file-${'0'.repeat(32)}`, endpoint: '/v1/chat/completions', apiKey: 'web' },
      ...(status && { status }),
    });
  }

  get = (ref: ObjectReference): InferenceBatch | undefined => this.stored.get(objectKey(ref));
  list = (namespace?: string): InferenceBatch[] =>
    [...this.stored.values()].filter(({ metadata }) => metadata.namespace === namespace);
  onChange = (_listener: (change: Change<InferenceBatch>) => void): void => undefined;

  readonly client = {
    get: async (): Promise<undefined> => this.#call(),
    create: async (_: unknown, object: KubeObject): Promise<never> => {
      this.#call();
      const { namespace = '', name } = object.metadata;
      return this.add(name, object as InferenceBatch, namespace) as never;
    },
    patch: async (_: unknown, ref: ObjectReference, body: unknown): Promise<never> => {
      this.#call();
      const batch = this.get(ref);
      if (batch === undefined) throw new ApiError('not found', { status: 404 });
      const { spec } = body as { spec: { cancel: boolean } };
      return this.#put({ ...batch, spec: { ...batch.spec, ...spec } }) as never;
    },
  };

  #call(): undefined {
    if (this.failure !== undefined) throw this.failure;
    return undefined;
  }

  #put(batch: InferenceBatch): InferenceBatch {
    this.#version += 1;
    const stored = { ...batch, metadata: { ...batch.metadata, resourceVersion: String(this.#version) } };
    this.stored.set(objectKey(stored.metadata), stored);
    return stored;
  }
}

export interface RunningBatchApi {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly store: ObjectStore;
  readonly files: FileRepository;
  readonly batches: FakeBatches;
  readonly metrics: Registry;
  /** All that was logged. */
  log(): string;
  /** Sends a request on behalf of a key of a namespace. */
  call(path: string, init?: RequestInit, namespace?: string): Promise<Response>;
  /** OpenAI's own client on behalf of a key of a namespace. */
  openai(namespace?: string): OpenAI;
  close(): Promise<void>;
}

export function tenantHeaders(namespace = NAMESPACE): Record<string, string> {
  return { 'x-infer-namespace': namespace, 'x-infer-key': 'web' };
}

/** Starts it; `clock.now` is the time of files in Unix milliseconds, the real one where it is absent. */
export async function startBatchApi(
  options: {
    limits?: Partial<BatchLimits>;
    clock?: { now: number };
    wrapStore?: (store: ObjectStore) => ObjectStore;
    /** Time and cost of replicas; none where it is absent. */
    replicaTime?: BatchApiOptions['replicaTime'];
  } = {},
): Promise<RunningBatchApi> {
  const { limits, clock, replicaTime = { rows: async () => [] }, wrapStore = (store) => store } = options;
  const folder = await mkdtemp(join(tmpdir(), 'infer-batch-api-'));
  const store = wrapStore(await openFolderStore(folder));
  const now = (): number => clock?.now ?? Date.now();
  const batches = new FakeBatches();
  const metrics = new Registry();
  let log = '';
  const logger = pino({ level: 'trace' }, { write: (line: string) => (log += line) });
  const files = new FileRepository(store, logger, now);
  const api = await createBatchApi({
    store,
    files,
    usageRecords: new UsageRecords(store, logger),
    replicaTime,
    now,
    batches: new BatchView(batches, batches.client),
    client: batches.client,
    ids: new TimedIds(now),
    metrics: new BatchApiMetrics(metrics),
    logger,
    ...(limits && { limits }),
  });
  await once(api.http.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(api.http.address() as AddressInfo).port}`;
  return {
    url,
    store,
    files,
    batches,
    metrics,
    log: () => log,
    call: (path, init = {}, namespace = NAMESPACE) =>
      fetch(url + path, { ...init, headers: { ...tenantHeaders(namespace), ...(init.headers as object) } }),
    openai: (namespace = NAMESPACE) =>
      new OpenAI({ apiKey: 'unused', baseURL: `${url}/v1`, defaultHeaders: tenantHeaders(namespace), maxRetries: 0 }),
    close: async () => {
      api.http.closeAllConnections();
      await api.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** A form as a client sends it; the file comes first or last. */
export function form(
  options: { fields?: Record<string, string>; filename?: string; content?: string; fileFirst?: boolean } = {},
): FormData {
  const {
    fields = { purpose: 'batch' },
    filename = 'requests.jsonl',
    content = '{"a":1}\n',
    fileFirst = false,
  } = options;
  const data = new FormData();
  const file = new File([content], filename);
  if (fileFirst) data.append('file', file);
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  if (!fileFirst) data.append('file', file);
  return data;
}
