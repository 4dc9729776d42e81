import { parseAdapters } from './adapters.ts';
import { sentenceOf, setting, writeTerminationMessage } from './container.ts';
import { downloadModel } from './download.ts';
import { DownloadFailure, type DownloadReason } from './failure.ts';
import { pruneModels } from './prune.ts';

/** Kubernetes keeps 4 KiB of a termination message; readers of ours expect at most three. */
const MAX_MESSAGE_CHARACTERS = 1_000;

const environment = process.env;
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort()).once('SIGINT', () => stop.abort());

/** @throws DownloadFailure InvalidSettings where the limit is no number of bytes. */
function maxBytes(): number | undefined {
  const text = environment['INFER_MODEL_MAX_BYTES'] ?? '';
  if (text === '') return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new DownloadFailure(
    'InvalidSettings',
    `INFER_MODEL_MAX_BYTES is ${JSON.stringify(text)}, not a number of bytes.`,
  );
}

/** One sentence on stderr, and the same as JSON where Kubernetes reads why a container ended. */
function report(reason: DownloadReason | 'Unexpected', text: string): void {
  const message = text.slice(0, MAX_MESSAGE_CHARACTERS);
  console.error(message);
  writeTerminationMessage(JSON.stringify({ reason, message }));
}

/** Brings the model and its adapters, all that the volume is to hold. */
async function downloadAll(): Promise<void> {
  const common = {
    endpoint: environment['HF_ENDPOINT'] ?? 'https://huggingface.co',
    token: environment['HF_TOKEN'],
    signal: stop.signal,
    log: console.log,
  };
  const model = setting('INFER_MODEL_ID');
  const revision = setting('INFER_MODEL_REVISION');
  const directory = setting('INFER_MODEL_DIRECTORY');
  let room = maxBytes();
  // They are small: a mistake in one shows before the hour that the model may take.
  for (const adapter of parseAdapters(environment['INFER_ADAPTERS'])) {
    const { bytes } = await downloadModel({
      ...common,
      ...adapter,
      kind: 'adapter',
      model: adapter.id,
      maxBytes: room,
    });
    if (room !== undefined) room -= bytes;
  }
  await downloadModel({ ...common, model, revision, directory, maxBytes: room });
}

/** Where several models share the volume: makes room for this one. */
async function prune(): Promise<void> {
  const keep = environment['INFER_KEEP_FOLDERS'];
  if (keep === undefined) return;
  const removed = await pruneModels(setting('INFER_MODEL_DIRECTORY'), keep.split(','));
  if (removed.length > 0) console.log(`Removed models that nobody reads any more: ${removed.join(', ')}.`);
}

try {
  await prune();
  await downloadAll();
} catch (error) {
  if (stop.signal.aborted) {
    console.error('Stopped; what has been downloaded stays for the next run.');
    process.exitCode = 143;
  } else {
    const known = error instanceof DownloadFailure;
    report(known ? error.reason : 'Unexpected', sentenceOf(error));
    process.exitCode = 1;
  }
}
