/** What was used, by the hour, until the batch process has it. */
import { randomBytes } from 'node:crypto';
import { ROWS_PER_REPORT, type UsageReport, type UsageRow } from '../../channel/usage-report.ts';

/** Who used what. */
export interface Usage {
  readonly key: { readonly namespace: string; readonly name: string };
  readonly deployment: { readonly namespace: string; readonly name: string };
}

/** What is added to a row. */
export type Amounts = Partial<Omit<UsageRow, 'key' | 'namespace' | 'deployment'>>;

/** Rows of one hour and one namespace of keys that are reported together. */
interface Part {
  readonly id: string;
  readonly hour: number;
  readonly namespace: string;
  readonly rows: UsageRow[];
  /** Grows with each change. */
  revision: number;
  /** The last one that the batch process is known to have; 0 for none. */
  stored: number;
  /** Of how many rows something is stored: those that came first. */
  storedRows: number;
}

/** Some 15 MB: hours of a batch process that is away, unless keys and deployments are many thousands. */
const MOST_ROWS = 50_000;
const HOUR_SECONDS = 3600;

const ZERO = {
  requests: 0,
  failedRequests: 0,
  answeredRequests: 0,
  promptTokens: 0,
  cachedTokens: 0,
  completionTokens: 0,
  firstTokenMs: 0,
  latencyMs: 0,
};

/**
 * Adds up what is used in parts of an hour and a namespace. A part that is stored and over is forgotten; what comes for its
 * hour after that, by a clock that went back, begins another one. So a wrong clock puts use into a wrong hour, and never
 * counts any twice or loses some.
 */
export class UsageLedger {
  readonly #instance = randomBytes(8).toString('hex');
  readonly #mostRows: number;
  readonly #onDrop: (rows: number) => void;
  #begun = 0;
  #rows = 0;
  readonly #parts = new Map<string, Part>();
  readonly #open = new Map<string, { part: Part; row: UsageRow }>();
  readonly #filling = new Map<string, Part>();

  /** `onDrop` is told how many rows of which nothing is stored were given up because there is no room. */
  constructor(onDrop: (rows: number) => void, mostRows = MOST_ROWS) {
    this.#onDrop = onDrop;
    this.#mostRows = mostRows;
  }

  /** Adds to the hour of `nowMs`, Unix milliseconds. */
  add({ key, deployment }: Usage, amounts: Amounts, nowMs: number): void {
    const hour = hourOf(nowMs);
    const id = `${hour}/${key.namespace}/${key.name}/${deployment.namespace}/${deployment.name}`;
    const { part, row } = this.#open.get(id) ?? this.#begin(id, hour, { key, deployment });
    for (const field of Object.keys(amounts) as (keyof Amounts)[]) {
      // A sum that is no safe integer would make the whole part one that cannot be stored.
      row[field] = Math.min(row[field] + (amounts[field] ?? 0), Number.MAX_SAFE_INTEGER);
    }
    part.revision += 1;
  }

  /**
   * Forgets what the batch process has and is over, and yields what it does not have, oldest first: each part as it is when
   * it is asked for. What was added since the first one may be missing.
   */
  *pending(nowMs: number): Generator<UsageReport, void, undefined> {
    const hour = hourOf(nowMs);
    const parts = [...this.#parts.values()];
    for (const part of parts) if (part.hour !== hour && part.stored === part.revision) this.#forget(part);
    const untold = parts.filter(({ revision, stored }) => revision > stored).toSorted((a, b) => a.hour - b.hour);
    for (const { id } of untold) {
      // It may have been given up in the meantime.
      const part = this.#parts.get(id);
      if (part !== undefined) yield reportOf(part);
    }
  }

  /** The batch process has it. */
  stored({ part: id, revision, rows }: UsageReport): void {
    const part = this.#parts.get(id);
    if (part === undefined) return;
    part.stored = revision;
    part.storedRows = rows.length;
  }

  /** The batch process will never take it: gives it up and returns how many rows it had of which nothing is stored. */
  refused({ part: id }: UsageReport): number {
    const part = this.#parts.get(id);
    if (part === undefined) return 0;
    this.#forget(part);
    return part.rows.length - part.storedRows;
  }

  #begin(id: string, hour: number, { key, deployment }: Usage): { part: Part; row: UsageRow } {
    if (this.#rows >= this.#mostRows) this.#makeRoom();
    const part = this.#partFor(hour, key.namespace);
    const row = { key: key.name, namespace: deployment.namespace, deployment: deployment.name, ...ZERO };
    part.rows.push(row);
    this.#rows += 1;
    const entry = { part, row };
    this.#open.set(id, entry);
    return entry;
  }

  #partFor(hour: number, namespace: string): Part {
    const place = `${hour}/${namespace}`;
    const filling = this.#filling.get(place);
    if (filling !== undefined && filling.rows.length < ROWS_PER_REPORT) return filling;
    this.#begun += 1;
    const id = `${this.#instance}-${this.#begun}`;
    const part = { id, hour, namespace, rows: [], revision: 0, stored: 0, storedRows: 0 };
    this.#parts.set(part.id, part);
    this.#filling.set(place, part);
    return part;
  }

  /** Forgets what is stored, which loses nothing; where that is not enough, the oldest of what is not. */
  #makeRoom(): void {
    for (const part of this.#parts.values()) if (part.stored === part.revision) this.#forget(part);
    for (const part of [...this.#parts.values()].toSorted((a, b) => a.hour - b.hour)) {
      if (this.#rows < this.#mostRows) return;
      this.#onDrop(part.rows.length - part.storedRows);
      this.#forget(part);
    }
  }

  #forget(part: Part): void {
    this.#parts.delete(part.id);
    this.#rows -= part.rows.length;
    for (const { key, namespace, deployment } of part.rows) {
      this.#open.delete(`${part.hour}/${part.namespace}/${key}/${namespace}/${deployment}`);
    }
    const place = `${part.hour}/${part.namespace}`;
    if (this.#filling.get(place) === part) this.#filling.delete(place);
  }
}

function reportOf({ id, hour, namespace, rows, revision, stored }: Part): UsageReport {
  return {
    namespace,
    hour,
    part: id,
    revision,
    replaces: stored === 0 ? null : stored,
    rows: rows.map((row) => ({ ...row })),
  };
}

function hourOf(nowMs: number): number {
  return Math.max(0, Math.floor(nowMs / (HOUR_SECONDS * 1000)) * HOUR_SECONDS);
}
