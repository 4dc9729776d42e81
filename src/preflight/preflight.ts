import { parseAdapterRequests } from './adapters.ts';
import { sentenceOf, setting, writeTerminationMessage } from './container.ts';
import { DownloadFailure } from './failure.ts';
import { gatherFacts } from './facts.ts';
import { formatResult, isPreflightReason, type ModelFacts } from './result.ts';

const environment = process.env;
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort()).once('SIGINT', () => stop.abort());

function summary(model: string, facts: ModelFacts): string {
  const gigabytes = (facts.weightBytes / 1e9).toFixed(facts.weightBytes < 1e8 ? 4 : 1);
  const adapted = facts.adapters.length > 0 ? `, with ${facts.adapters.length} adapters` : '';
  return `${model} at commit ${facts.commit} can be downloaded: ${gigabytes} GB of weights${adapted}.`;
}

try {
  const model = setting('INFER_MODEL_ID');
  const facts = await gatherFacts({
    model,
    revision: setting('INFER_MODEL_REVISION'),
    adapters: parseAdapterRequests(environment['INFER_ADAPTERS']),
    endpoint: environment['HF_ENDPOINT'] ?? 'https://huggingface.co',
    token: environment['HF_TOKEN'],
    signal: stop.signal,
  });
  writeTerminationMessage(formatResult({ facts }));
  console.log(summary(model, facts));
} catch (error) {
  if (stop.signal.aborted) {
    console.error('Stopped before the hub had answered.');
    process.exitCode = 143;
  } else {
    const reason = error instanceof DownloadFailure && isPreflightReason(error.reason) ? error.reason : 'Unexpected';
    const message = sentenceOf(error);
    writeTerminationMessage(formatResult({ failure: { reason, message } }));
    console.error(message);
    process.exitCode = 1;
  }
}
