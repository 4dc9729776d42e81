/** The logs of engines that failed: each is read once, and what it says is kept as long as the failure is shown. */
import type { Pod } from '../api/kubernetes.ts';
import type { KubeClient } from '../kube/client.ts';
import { describeError } from '../kube/errors.ts';
import type { Logger, ObjectReference } from '../kube/types.ts';
import { classifyEngineLog, type EngineCause } from './diagnose/engine-log.ts';
import { sameButForNumbers } from './diagnose/messages.ts';
import { engineEnd, type EngineEnd } from './diagnose/replica.ts';

/** Failed replicas that are remembered; the cause of one that was forgotten is read again. */
const CAPACITY = 1_000;
/** A log that could not be read so often is given up; the next failure is tried anew. */
const MAX_TRIES = 3;
/** The kubelet of a node that was lost does not answer. */
const READ_TIMEOUT_MS = 5_000;

/** Returns the end of the log of the engine of `pod`, of its previous container where `previous`. Rejects where it cannot be had. */
export type EngineLogReader = (pod: ObjectReference, previous: boolean) => Promise<string>;

export interface EngineLogsOptions {
  read: EngineLogReader;
  logger: Logger;
  /** Failed replicas that are remembered; default 1,000. */
  capacity?: number;
}

/** The newest failure of a replica. */
interface Entry {
  key: string;
  tries: number;
  /**
   * `silent`: what was read as the current container's log told nothing. It may have been that of a container started
   * meanwhile, so that it is read once more when Kubernetes shows the failure as the previous container's.
   */
  log: 'unread' | 'silent' | 'done';
  /** Where this failure's log is not read: what the one before said, so that status does not flap in a crash loop. */
  cause: EngineCause | undefined;
}

export class EngineLogs {
  readonly #read: EngineLogReader;
  readonly #log: Logger;
  readonly #capacity: number;
  /** By the UID of the pod, the one used last at the end. */
  readonly #entries = new Map<string, Entry>();

  constructor({ read, logger, capacity = CAPACITY }: EngineLogsOptions) {
    this.#read = read;
    this.#log = logger;
    this.#capacity = capacity;
  }

  /**
   * Returns why the engines among `pods` failed, by the UID of the pod, reading the logs that were not read yet.
   * `unread`: a log could not be read and is to be tried again. Never rejects.
   */
  async causesOf(pods: readonly Pod[]): Promise<{ causes: Map<string, EngineCause>; unread: boolean }> {
    const causes = new Map<string, EngineCause>();
    let unread = false;
    await Promise.all(
      pods.map(async (pod) => {
        const end = engineEnd(pod);
        if (end === undefined) return;
        const entry = this.#entryOf(pod, end);
        if (isDue(entry, end)) await this.#update(entry, pod, end);
        if (entry.cause) causes.set(pod.metadata.uid ?? '', entry.cause);
        unread ||= isDue(entry, end);
      }),
    );
    return { causes, unread };
  }

  #entryOf(pod: Pod, { key }: EngineEnd): Entry {
    const uid = pod.metadata.uid ?? '';
    const known = this.#entries.get(uid);
    const entry: Entry = known?.key === key ? known : { key, tries: 0, log: 'unread', cause: known?.cause };
    this.#entries.delete(uid);
    this.#entries.set(uid, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#capacity) break;
      this.#entries.delete(oldest);
    }
    return entry;
  }

  async #update(entry: Entry, { metadata }: Pod, { previous }: EngineEnd): Promise<void> {
    entry.tries += 1;
    try {
      const cause = classifyEngineLog(await this.#read(metadata, previous));
      entry.log = cause === undefined && !previous ? 'silent' : 'done';
      if (entry.log === 'done' && !isSame(cause, entry.cause)) entry.cause = cause;
    } catch (error) {
      const { namespace, name } = metadata;
      this.#log.debug({ pod: `${namespace}/${name}`, error: describeError(error) }, 'log of a failed engine not read');
      // What the failure before said stays: a kubelet that does not answer for a moment is no other cause.
      if (entry.tries >= MAX_TRIES) entry.log = 'done';
    }
  }
}

function isDue({ log }: Entry, { previous }: EngineEnd): boolean {
  return log === 'unread' || (log === 'silent' && previous);
}

/** Sizes in a message often differ a little from one try to the next; each would otherwise be written to status. */
function isSame(cause: EngineCause | undefined, known: EngineCause | undefined): boolean {
  if (cause === undefined || known === undefined) return cause === known;
  return known.reason === cause.reason && sameButForNumbers(known.message, cause.message);
}

/** Returns a reader by the API server, which asks the kubelet. */
export function engineLogReader(client: Pick<KubeClient, 'getText'>): EngineLogReader {
  return async (pod, previous) =>
    await readLog(client, pod, { container: 'engine', previous: String(previous), tailLines: '400' });
}

/** Reads the end of a container's log as `query` says. Rejects where the kubelet does not give it in time. */
export async function readLog(
  client: Pick<KubeClient, 'getText'>,
  { namespace = '', name }: ObjectReference,
  query: { container: string; previous?: string; tailLines: string },
  timeoutMs = READ_TIMEOUT_MS,
): Promise<string> {
  return await client.getText(
    `/api/v1/namespaces/${namespace}/pods/${name}/log`,
    { ...query, limitBytes: '262144' },
    // Not the client's own timeout, after which it distrusts its connections: they are not to blame for a kubelet.
    { signal: AbortSignal.timeout(timeoutMs) },
  );
}
