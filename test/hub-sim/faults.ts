/** Which request a fault meets: model info, file list, the hub's answer for a file, or the file's bytes. */
const ROUTES = ['info', 'tree', 'resolve', 'content'] as const;

export type FaultRoute = (typeof ROUTES)[number];

/** One rule; what is absent matches everything or changes nothing. */
export interface Fault {
  readonly repo?: string;
  readonly file?: string;
  readonly route?: FaultRoute;
  /** How many requests it meets; absent: all. */
  readonly times?: number;
  /** Answer with this status instead. */
  readonly status?: number;
  /** Seconds for a Retry-After header beside `status`. */
  readonly retryAfter?: number;
  /** Wait before the answer. */
  readonly delayMs?: number;
  /** Close the connection after so many bytes of the body; 0 before any answer. */
  readonly cutAfterBytes?: number;
  /** Send the body no faster. */
  readonly bytesPerSecond?: number;
  /** Send bytes that differ from the file's. */
  readonly corrupt?: boolean;
  /** Answer a range with 200 and the whole file. */
  readonly ignoreRange?: boolean;
}

const NUMBERS = ['times', 'status', 'retryAfter', 'delayMs', 'cutAfterBytes', 'bytesPerSecond'] as const;
const FLAGS = ['corrupt', 'ignoreRange'] as const;

/**
 * Reads a JSON list of faults.
 * @throws Error naming the field that is not understood: a misspelt fault would let a test pass for nothing.
 */
export function parseFaults(text: string): Fault[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new Error('Faults must be a JSON list.');
  return list.map((entry: unknown): Fault => {
    if (typeof entry !== 'object' || entry === null) throw new Error('A fault must be an object.');
    for (const [name, value] of Object.entries(entry)) checkField(name, value);
    return entry;
  });
}

function checkField(name: string, value: unknown): void {
  const good =
    ((name === 'repo' || name === 'file') && typeof value === 'string') ||
    (name === 'route' && ROUTES.some((route) => route === value)) ||
    (NUMBERS.some((field) => field === name) && typeof value === 'number' && value >= 0) ||
    (FLAGS.some((field) => field === name) && typeof value === 'boolean');
  if (!good) throw new Error(`A fault has no field "${name}" with the value ${JSON.stringify(value)}.`);
}

/** The rules in force, and how often each has been used. */
export class Faults {
  #rules: { readonly fault: Fault; left: number }[] = [];

  set(faults: readonly Fault[]): void {
    this.#rules = faults.map((fault) => ({ fault, left: fault.times ?? Infinity }));
  }

  /** The first rule that meets this request and is not used up; counts it as used. */
  take(route: FaultRoute, repo: string, file?: string): Fault | undefined {
    const rule = this.#rules.find(
      ({ fault, left }) =>
        left > 0 &&
        (fault.route ?? route) === route &&
        (fault.repo ?? repo) === repo &&
        (fault.file === undefined || fault.file === file),
    );
    if (rule === undefined) return undefined;
    rule.left -= 1;
    return rule.fault;
  }
}
