/**
 * Pure: vLLM's log → the exceptions that ended it. vLLM is several processes that print to one log: the cause stands in
 * the traceback of one of them, and those of the others say only that it stands above. The log is hostile: it may hold
 * prompts, so that nothing but the exceptions of processes that ended is read.
 */
import { hostileText } from './messages.ts';

export interface EngineException {
  /** The class as Python prints it, for example `torch.OutOfMemoryError`. */
  type: string;
  /** What it says: one line, redacted. */
  text: string;
  /** The functions of its traceback, outermost first. */
  functions: readonly string[];
  /** An exception that ended a serving engine may repeat what a client has sent. */
  while: 'starting' | 'serving';
}

const MAX_LINES = 400;
/** Bounds the work on a line; what is shown is far shorter. */
const MAX_LINE_LENGTH = 4096;
const MAX_TEXT_LENGTH = 2000;

/** Within which pydantic says what is wrong. */
const DETAIL_LINES = 2;

const COLOUR = /\p{Cc}\[[\d;]*m/gu;
/** `(EngineCore pid=245) ` */
const PROCESS = /^\(([^()]{1,64} pid=\d+)\) ?/;
/** `ERROR 11-25 10:57:47 [core.py:1510] ` */
const RECORD = /^[A-Z]{4,8} \d\d-\d\d \d\d:\d\d:\d\d \[[^\]]{1,160}\] ?/;
const FRAME = /^ {2}File ".*", line \d+, in (.+)$/;
const EXCEPTION = /^([A-Za-z_][\w.]*)(?::(?: (.*))?)?$/;
const USAGE_ERROR = /^(?:vllm(?: serve)?|api_server\.py): error: (.+)$/;

const START_FAILURE = /^(?:EngineCore|WorkerProc) failed to start\.$/;
const SERVING_FAILURE = /^(?:EngineCore encountered a fatal error|WorkerProc hit an exception)\.$/;
/** Exceptions that only tell of another process's. */
const SYMPTOM =
  /^(?:Engine core initialization failed|Frontend process failed|WorkerProc initialization failed|EngineCore encountered an issue|Worker failed with error|cancelled$)/;

/** What one process has printed so far. */
interface Process {
  traceback?: string[] | undefined;
  /** The exception that the next lines tell more of. */
  told?: { exception: Found; lines: number } | undefined;
  serving: boolean;
  ignores: boolean;
}

interface Found {
  type: string;
  text: string;
  functions: readonly string[];
  serving: boolean;
}

/** Returns the exceptions in `log` that ended vLLM, in the order of the log, without those that only follow from others. */
export function engineExceptions(log: string): EngineException[] {
  const found: Found[] = [];
  const processes = new Map<string, Process>();
  let failedToStart = false;
  for (const line of log.split('\n').slice(-MAX_LINES)) {
    const clean = line.slice(0, MAX_LINE_LENGTH).replaceAll(COLOUR, '').trimEnd();
    const name = PROCESS.exec(clean)?.[1] ?? '';
    const text = clean.replace(PROCESS, '').replace(RECORD, '');
    const state = processes.get(name) ?? { serving: false, ignores: false };
    processes.set(name, state);
    if (START_FAILURE.test(text)) failedToStart = true;
    const exception = readLine(text, state);
    if (exception) found.push(exception);
  }
  failedToStart ||= found.some(({ text }) => text.startsWith('Engine core initialization failed'));
  return found.flatMap(({ type, text, functions, serving }) => {
    // Others were handled, such as those of requests; one that reaches a module's level ends the process.
    const ended = failedToStart || serving || functions.includes('<module>');
    if (!ended || SYMPTOM.test(text)) return [];
    const when = serving && !failedToStart ? 'serving' : 'starting';
    return [{ type, text: hostileText(text, MAX_TEXT_LENGTH), functions, while: when }];
  });
}

/** Returns the exception that the line `text` of a process names, if it does. */
function readLine(text: string, state: Process): Found | undefined {
  if (SERVING_FAILURE.test(text)) state.serving = true;
  if (text.startsWith('Exception ignored in')) state.ignores = true;
  if (text === 'Traceback (most recent call last):') {
    state.traceback = [];
    state.told = undefined;
    return undefined;
  }
  const { traceback } = state;
  if (traceback === undefined) {
    readDetail(text, state);
    const [, usage] = USAGE_ERROR.exec(text) ?? [];
    return usage === undefined ? undefined : { type: 'error', text: usage, functions: ['<module>'], serving: false };
  }
  if (text.startsWith(' ')) {
    const [, name] = FRAME.exec(text) ?? [];
    if (name !== undefined) traceback.push(name);
    return undefined;
  }
  state.traceback = undefined;
  const [, type, said = ''] = EXCEPTION.exec(text) ?? [];
  const { ignores } = state;
  state.ignores = false;
  if (type === undefined || ignores) return undefined;
  const exception = { type, text: said, functions: traceback, serving: state.serving };
  if (/validation errors? for /.test(said)) state.told = { exception, lines: DETAIL_LINES };
  return exception;
}

/** pydantic: `1 validation error for X`, a field if it is one's, and `  Value error, TEXT [type=..., input_value=...]`. */
function readDetail(text: string, state: Process): void {
  const { told } = state;
  if (told === undefined) return;
  told.lines -= 1;
  const detail = text.startsWith('  ');
  if (detail) {
    told.exception.text = text
      .trim()
      .replace(/ \[type=.*$/, '')
      .replace(/^(?:Value error|Assertion failed), /, '');
  }
  if (detail || told.lines === 0) state.told = undefined;
}
