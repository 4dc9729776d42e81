import { adapterRank } from './adapter-config.ts';
import type { AdapterRequest } from './adapters.ts';
import { DownloadFailure } from './failure.ts';
import {
  checkModelId,
  checkRevision,
  checkToken,
  chooseAdapterFiles,
  chooseFiles,
  loadedWeights,
  total,
  type RepositoryFile,
  type RepositoryKind,
} from './files.ts';
import { Hub } from './hub.ts';
import { readJsonFile } from './json-file.ts';
import { factsOfConfig, type ConfigFacts } from './model-config.ts';
import { retrying, type RetryPolicy } from './retry.ts';
import type { RepositoryInfo } from './repository-info.ts';
import type { AdapterFacts, ModelFacts } from './result.ts';

export interface PreflightOptions {
  /** `owner/name` on the hub. */
  readonly model: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  readonly adapters: readonly AdapterRequest[];
  readonly endpoint: string;
  readonly token?: string | undefined;
  readonly signal: AbortSignal;
  readonly policy?: RetryPolicy;
  /** No byte for so long, in milliseconds, means that the connection is dead. */
  readonly silenceMs?: number;
}

/** Together less than half a minute until a hub that does not answer is reported; the next run of the Job asks on. */
const RETRY_BRIEFLY: RetryPolicy = { attempts: 3, baseMs: 1_000, maxMs: 4_000 };
const SILENCE_MS = 8_000;

/**
 * Asks the hub what a model and its adapters are, without downloading any weights. A file of each is read, which proves
 * that the token opens it: lists of gated repositories are public.
 * @throws DownloadFailure with the reason and a sentence for the user.
 */
export async function gatherFacts(options: PreflightOptions): Promise<ModelFacts> {
  // All of the spec before the first request, so that a mistake in it shows at once.
  for (const { id, revision } of [{ id: options.model, revision: options.revision }, ...options.adapters]) {
    checkModelId(id);
    checkRevision(revision ?? 'main');
  }
  const token = options.token === undefined ? undefined : checkToken(options.token);
  const facts = await modelFacts({ ...options, token });
  for (const adapter of options.adapters) facts.adapters.push(await adapterFacts({ ...options, token }, adapter));
  return facts;
}

async function modelFacts(options: PreflightOptions): Promise<ModelFacts> {
  const { model, revision } = options;
  return atRepository(options, { model, kind: 'model' }, revision, async ({ info, listed, read }) => {
    const files = chooseFiles(model, listed);
    const config = await configFacts(model, files, read);
    const weightBytes = countable(total(loadedWeights(files)));
    return {
      commit: info.commit,
      weightBytes,
      totalBytes: countable(total(files)),
      // The hub counts all files, also those that are not loaded.
      float32Bytes:
        info.float32Parameters === undefined ? undefined : Math.min(4 * info.float32Parameters, weightBytes),
      gated: info.gated,
      license: info.license,
      ...config,
      adapters: [],
    };
  });
}

async function configFacts(
  model: string,
  files: readonly RepositoryFile[],
  read: AtRepository['read'],
): Promise<ConfigFacts> {
  const find = (pattern: RegExp): RepositoryFile | undefined => files.find(({ path }) => pattern.test(path));
  const configFile = find(/^config\.json$/);
  if (configFile === undefined) {
    const parameters = find(/^params\.json$/);
    if (parameters === undefined) throw noConfiguration(model, find(/^adapter_config\.json$/) !== undefined);
    // Mistral's own format, which vLLM also loads; it is read for the proof alone.
    await read(parameters);
    return {};
  }
  const facts = factsOfConfig(await read(configFile));
  // Sentence Transformers cut texts shorter than the model could read, and vLLM does as they.
  const sentences = find(/^sentence_[\w-]+_config\.json$/);
  const sentenceLength = sentences === undefined ? undefined : factsOfConfig(await read(sentences)).contextLength;
  // It may also quantize keys and values.
  const modelOpt = find(/^hf_quant_config\.json$/) === undefined ? undefined : 'modelopt';
  return {
    ...facts,
    contextLength: sentenceLength ?? facts.contextLength,
    quantization: facts.quantization ?? modelOpt,
    attention: modelOpt === undefined ? facts.attention : undefined,
  };
}

/** Sizes are what the hub says: two thousand of them may be more than a number holds. */
function countable(bytes: number): number {
  return Math.min(bytes, Number.MAX_SAFE_INTEGER);
}

function noConfiguration(model: string, isAdapter: boolean): DownloadFailure {
  const next = isAdapter
    ? 'it is a LoRA adapter, so name it in spec.adapters, and the model that it adapts in spec.model.id.'
    : 'choose the repository of a whole model.';
  return new DownloadFailure('ModelRefused', `The model ${model} has no config.json, so vLLM cannot load it: ${next}`);
}

async function adapterFacts(options: PreflightOptions, adapter: AdapterRequest): Promise<AdapterFacts> {
  const { name, id, revision = 'main' } = adapter;
  return atRepository(options, { model: id, kind: 'adapter' }, revision, async ({ info, listed, read }) => {
    const files = chooseAdapterFiles(id, listed);
    const config = files.find(({ path }) => path.endsWith('.json'));
    const rank = adapterRank(id, config === undefined ? {} : await read(config));
    return { name, commit: info.commit, bytes: countable(total(files)), rank };
  });
}

interface AtRepository {
  readonly info: RepositoryInfo;
  readonly listed: readonly RepositoryFile[];
  readonly read: (file: RepositoryFile) => ReturnType<typeof readJsonFile>;
}

/** Resolves a revision, lists the files at its commit, and lets `use` read some of them. */
async function atRepository<T>(
  options: PreflightOptions,
  repository: { readonly model: string; readonly kind: RepositoryKind },
  revision: string,
  use: (at: AtRepository) => Promise<T>,
): Promise<T> {
  const { signal, endpoint, token, policy = RETRY_BRIEFLY, silenceMs = SILENCE_MS } = options;
  const { model } = repository;
  const hub = new Hub({ ...repository, endpoint, token, silenceMs });
  try {
    const info = await retrying(`Asking for ${model}`, policy, signal, () => hub.info(revision, signal));
    const listed = await retrying(`Listing ${model}`, policy, signal, () => hub.list(info.commit, signal));
    const read: AtRepository['read'] = (file) =>
      retrying(`Reading ${file.path} of ${model}`, policy, signal, () => readJsonFile(hub, info.commit, file, signal));
    return await use({ info, listed, read });
  } finally {
    await hub.close();
  }
}
