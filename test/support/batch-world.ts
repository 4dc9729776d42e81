/** Everything around the worker of batches, in memory: API server, claims, store and gateways, shared by processes that die. */
import type { Readable } from 'node:stream';
import type { InferenceBatch, InferenceBatchSpec } from '../../src/api/generated/inference-batch.ts';
import { contentKey, fileIdOf, fileObject, isExpired, metaKey } from '../../src/batch/files/file-object.ts';
import type { FileObject, FilePurpose } from '../../src/batch/files/file-object.ts';
import type { Answer, BatchGateways, DeploymentLoad, DeploymentName } from '../../src/batch/gateway.ts';
import { TimedIds } from '../../src/batch/timed-ids.ts';
import type { BatchCache, BatchFiles, BatchResources, Claim, Claims } from '../../src/batch/worker/access.ts';
import { createWorker } from '../../src/batch/worker/worker.ts';
import type { Worker } from '../../src/batch/worker/worker.ts';
import { pause } from '../../src/kube/backoff.ts';
import { ApiError, WritesEnded } from '../../src/kube/errors.ts';
import type { Change } from '../../src/kube/informer.ts';
import { objectKey } from '../../src/kube/types.ts';
import type { Logger, ObjectReference } from '../../src/kube/types.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { MemoryStore } from './memory-store.ts';

/** How much faster than a clock the worker's pauses pass. */
const SPEED = 20;

export const NAMESPACE = 'team-a';
const KEY = 'nightly';

const SILENT: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** Called around every write and every answer; a process that never returns from it is dead. */
export type Hook = (operation: string, phase: 'before' | 'after') => Promise<void>;

export type Respond = (body: unknown, raw: Buffer, signal: AbortSignal) => Promise<Partial<Answer>>;

export interface Process {
  readonly worker: Worker;
  /** Ends the process as SIGKILL does: nothing it had begun goes on, and its claims are free. */
  kill(): void;
  /** As for a process that was stopped while others took its claims: it goes on, and learns of that `afterMs` later. */
  loseClaims(afterMs: number): void;
}

/** A line of an input, with what differs. */
export function inputLine(customId: string, fields: object = {}, body: object = {}): string {
  return JSON.stringify({
    custom_id: customId,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model: 'llama', messages: [{ role: 'user', content: customId }], ...body },
    ...fields,
  });
}

export function inputLines(count: number): string {
  return Array.from({ length: count }, (_, index) => `${inputLine(`request-${index}`)}\n`).join('');
}

export class BatchWorld {
  readonly store = new MemoryStore();
  readonly #ids = new TimedIds();
  readonly #batches = new Map<string, InferenceBatch>();
  readonly #listeners: ((change: Change<InferenceBatch>) => void)[] = [];
  readonly #holders = new Map<string, symbol>();
  #version = 1;
  /** Milliseconds by which both clocks are ahead of the machine's. */
  wallOffsetMs = 0;
  monotonicOffsetMs = 0;
  /** Custom ids (the content of the message) in the order in which gateways got them. */
  readonly sent: string[] = [];
  readonly deployments = new Map<string, DeploymentName>([['llama', { namespace: NAMESPACE, name: 'llama' }]]);
  load: Partial<DeploymentLoad> = {};
  respond: Respond = async () => ({});
  /** Throws what a gateway that resolves a model throws. */
  resolving: () => void = () => undefined;
  /** Around the store of every process. */
  wrapStore: (store: ObjectStore) => ObjectStore = (store) => store;
  statusWrites = 0;
  /** How often a worker looked at all batches, and how often one was claimed. */
  looks = 0;
  claimed = 0;

  /** Puts a file into the store; returns its id. */
  async addFile(content: string | Buffer, purpose: FilePurpose = 'batch', lifetimeSeconds = 86_400): Promise<string> {
    const id = fileIdOf(this.#ids.next());
    const bytes = await this.store.put(contentKey(NAMESPACE, id), Buffer.from(content));
    const file = fileObject({ id, bytes, filename: 'input.jsonl', purpose, lifetimeSeconds });
    await this.store.put(metaKey(NAMESPACE, id), Buffer.from(JSON.stringify(file)));
    return id;
  }

  addBatch(inputFileId: string, spec: Partial<InferenceBatchSpec> = {}, name = 'labels'): void {
    this.#store({
      apiVersion: 'infer.dev/v1alpha1',
      kind: 'InferenceBatch',
      metadata: {
        name,
        namespace: NAMESPACE,
        uid: `uid-${name}`,
        generation: 1,
        creationTimestamp: new Date(Date.now() + this.wallOffsetMs).toISOString(),
      },
      spec: { inputFileId, endpoint: '/v1/chat/completions', apiKey: KEY, ...spec },
    });
  }

  batch(name = 'labels'): InferenceBatch | undefined {
    return this.#batches.get(`${NAMESPACE}/${name}`);
  }

  state(name = 'labels'): string | undefined {
    return this.batch(name)?.status?.conditions?.[0]?.reason;
  }

  edit(change: (batch: InferenceBatch) => InferenceBatch, name = 'labels'): void {
    const batch = this.batch(name);
    if (batch) this.#store(change(batch));
  }

  cancel(): void {
    this.edit((batch) => ({ ...batch, spec: { ...batch.spec, cancel: true } }));
  }

  delete(name = 'labels'): void {
    this.edit(
      (batch) => ({ ...batch, metadata: { ...batch.metadata, deletionTimestamp: new Date().toISOString() } }),
      name,
    );
  }

  /** Returns the lines of one of the batch's files, parsed. */
  async lines(id: string | undefined): Promise<Record<string, unknown>[]> {
    if (id === undefined) return [];
    const text = await this.text(contentKey(NAMESPACE, id));
    return (text ?? '')
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
  }

  async text(key: string): Promise<string | undefined> {
    return this.store.objects.get(key)?.content.toString('utf8');
  }

  keys(prefix: string): string[] {
    return [...this.store.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  start(hook: Hook = async () => undefined): Process {
    const identity = Symbol('process');
    const life: Life = { dead: false, lost: false, gone: new AbortController(), identity };
    const guarded = guard(life, hook);
    const worker = createWorker({
      batches: this.#cache(life),
      resources: this.#resources(life, guarded),
      claims: this.#claims(life, guarded),
      store: this.wrapStore(guardStore(this.store, guarded, life)),
      files: this.#files(guarded),
      gateways: this.#gateways(life, guarded),
      logger: SILENT,
      clock: {
        wall: () => Date.now() + this.wallOffsetMs,
        monotonic: () => SPEED * performance.now() + this.monotonicOffsetMs,
        pause: async (ms, signal) => await pause(ms / SPEED, signal),
      },
    });
    worker.start();
    return {
      worker,
      kill: () => {
        life.dead = true;
        this.#free(identity);
        void worker.stop(0);
      },
      loseClaims: (afterMs) => {
        life.lost = true;
        this.#free(identity);
        setTimeout(() => life.gone.abort(new Error('the claim was lost')), afterMs);
      },
    };
  }

  #free(identity: symbol): void {
    for (const [uid, holder] of this.#holders) if (holder === identity) this.#holders.delete(uid);
  }

  #store(batch: InferenceBatch): InferenceBatch {
    const key = objectKey(batch.metadata);
    const known = this.#batches.has(key);
    const { deletionTimestamp, finalizers = [] } = batch.metadata;
    if (deletionTimestamp !== undefined && finalizers.length === 0) {
      this.#batches.delete(key);
      this.#emit({ type: 'deleted', object: batch });
      return batch;
    }
    this.#version += 1;
    const stored = { ...batch, metadata: { ...batch.metadata, resourceVersion: String(this.#version) } };
    this.#batches.set(key, stored);
    this.#emit({ type: known ? 'updated' : 'added', object: stored });
    return stored;
  }

  #emit(change: Change<InferenceBatch>): void {
    for (const listener of this.#listeners) setImmediate(() => listener(change));
  }

  #cache(life: Life): BatchCache {
    return {
      onChange: (listener) => {
        this.#listeners.push((change) => {
          if (!life.dead) listener(change);
        });
      },
      get: (ref) => this.#batches.get(objectKey(ref)),
      list: () => {
        this.looks += 1;
        return [...this.#batches.values()];
      },
    };
  }

  #resources(life: Life, guarded: Guarded): BatchResources {
    const write = async (
      operation: string,
      batch: InferenceBatch,
      change: (current: InferenceBatch) => InferenceBatch,
    ) =>
      await guarded(operation, async () => {
        if (life.lost) throw new WritesEnded();
        const current = this.#batches.get(objectKey(batch.metadata));
        if (current === undefined) throw new ApiError('not found', { status: 404 });
        if (current.metadata.resourceVersion !== batch.metadata.resourceVersion) {
          throw new ApiError('conflict', { status: 409, reason: 'Conflict' });
        }
        return this.#store(change(current));
      });
    return {
      get: async (ref: ObjectReference) => this.#batches.get(objectKey(ref)),
      update: async (batch) => await write('update', batch, ({ status }) => ({ ...batch, ...(status && { status }) })),
      updateStatus: async (batch) => {
        this.statusWrites += 1;
        return await write(`status ${batch.status?.conditions?.[0]?.reason}`, batch, (current) => ({
          ...current,
          ...(batch.status && { status: batch.status }),
        }));
      },
      delete: async (batch) => {
        await write('delete', batch, (current) => ({
          ...current,
          metadata: { ...current.metadata, deletionTimestamp: new Date().toISOString() },
        }));
      },
    };
  }

  #claims(life: Life, guarded: Guarded): Claims {
    return {
      hold: async ({ metadata: { uid = '' } }, signal, work) => {
        while (this.#holders.has(uid)) {
          await pause(20, signal);
          if (signal.aborted) return;
        }
        if (life.dead || signal.aborted) return;
        this.#holders.set(uid, life.identity);
        this.claimed += 1;
        const claim: Claim = {
          ending: AbortSignal.any([signal, life.gone.signal]),
          lost: life.gone.signal,
          resources: this.#resources(life, guarded),
        };
        try {
          await work(claim);
        } finally {
          if (this.#holders.get(uid) === life.identity) this.#holders.delete(uid);
        }
      },
      forget: async () => undefined,
    };
  }

  #files(guarded: Guarded): BatchFiles {
    return {
      find: async (namespace, id) => {
        const text = await this.text(metaKey(namespace, id));
        const file = text === undefined ? undefined : (JSON.parse(text) as FileObject);
        return file === undefined || isExpired(file, Date.now() + this.wallOffsetMs) ? undefined : file;
      },
      add: async (namespace, file) => {
        await guarded('put meta', async () => {
          await this.wrapStore(this.store).put(metaKey(namespace, file.id), Buffer.from(JSON.stringify(file)));
        });
      },
    };
  }

  #gateways(life: Life, guarded: Guarded): BatchGateways {
    return {
      resolve: async (_onBehalf, model) => {
        this.resolving();
        return this.deployments.get(model);
      },
      send: async (_onBehalf, _path, body, signal) => {
        const parsed = JSON.parse(body.toString('utf8')) as { messages?: { content: string }[] };
        const id = parsed.messages?.[0]?.content ?? '';
        this.sent.push(id);
        return await guarded(`answer ${id}`, async () => {
          const answer = await this.respond(parsed, body, signal);
          return {
            status: 200,
            requestId: `req-${this.sent.length}`,
            body: Buffer.from(JSON.stringify({ echo: id, usage: { prompt_tokens: 3, completion_tokens: 2 } })),
            retryAfterSeconds: undefined,
            ...answer,
          };
        });
      },
      load: async () => {
        if (life.dead) await never();
        return {
          replicas: 1,
          onlineRequests: 0,
          onlineIdleMs: 60_000,
          // So the first limit stays: nobody uses it up.
          batchRequests: 0,
          engineWaiting: 0,
          kvCacheUsage: 0.1,
          partial: false,
          ...this.load,
        };
      },
    };
  }
}

interface Life {
  dead: boolean;
  /** Its claims are free for others, whether it knows that or not. */
  lost: boolean;
  gone: AbortController;
  readonly identity: symbol;
}

type Guarded = <T>(operation: string, run: () => Promise<T>) => Promise<T>;

/** What a dead process has begun is never done, and what was done is never heard of. */
function guard(life: Life, hook: Hook): Guarded {
  return async (operation, run) => {
    if (life.dead) await never();
    await hook(operation, 'before');
    if (life.dead) await never();
    const result = await run();
    if (life.dead) await never();
    await hook(operation, 'after');
    if (life.dead) await never();
    return result;
  };
}

function guardStore(store: MemoryStore, guarded: Guarded, life: Life): ObjectStore {
  const alive = async (): Promise<void> => {
    if (life.dead) await never();
  };
  return {
    put: async (key, source, options) =>
      await guarded(`put ${shape(key)}`, async () => await store.put(key, source, options)),
    delete: async (key) => await guarded(`delete ${shape(key)}`, async () => await store.delete(key)),
    get: async (key, options): Promise<{ bytes: number; content: Readable } | undefined> => {
      await alive();
      return await store.get(key, options);
    },
    head: async (key) => await store.head(key),
    list: (prefix, options) => store.list(prefix, options),
  };
}

/** A key without what differs between runs. */
function shape(key: string): string {
  return key
    .split('/')
    .filter((part) => !/\d{6}|^file-|^uid-/.test(part))
    .join('/');
}

export async function never(): Promise<never> {
  return await new Promise<never>(() => undefined);
}
