import { DownloadFailure } from './failure.ts';

/** A file of a repository at one commit, as the hub lists it. */
export interface RepositoryFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** What the content must hash to: SHA-256 for files in LFS, else git's blob id (SHA-1 with a header). */
  readonly digest: { readonly algorithm: 'sha256' | 'git'; readonly hex: string };
}

/** What a repository is downloaded as: which of its files are taken, and what a message calls it. */
export type RepositoryKind = 'model' | 'adapter';

const MODEL_ID = /^[A-Za-z0-9][\w.-]{0,95}\/[\w.-]{1,96}$/;
const REVISION = /^[A-Za-z0-9][\w.\-/]{0,254}$/;
const TOKEN = /^hf_[A-Za-z0-9]{1,200}$/;

/** Our own files in the model's directory; no file of a repository may lie there. */
export const OWN_DIRECTORY = '.infer';

const MAX_FILES = 2_000;
const MAX_PATH = 512;
const MAX_SEGMENT = 200;

const WANTED_SUFFIXES = ['.safetensors', '.json', '.jinja', '.txt', '.model', '.tiktoken'];

// Weights of other frameworks, or the same weights once more in another layout.
const SKIPPED_DIRECTORIES = new Set(
  'original onnx openvino metal coreml gguf mlx flax tensorflow tflite exl2 runs logs checkpoints'.split(' '),
);

/** @throws DownloadFailure InvalidSettings unless this is `owner/name` as the hub spells it. */
export function checkModelId(id: string): void {
  if (MODEL_ID.test(id) && !id.includes('..')) return;
  throw new DownloadFailure(
    'InvalidSettings',
    `${JSON.stringify(id.slice(0, 200))} is no model id: write owner/name as on the Hugging Face hub.`,
  );
}

/** @throws DownloadFailure InvalidSettings unless this can be a branch, tag or commit. */
export function checkRevision(revision: string): void {
  if (REVISION.test(revision) && !revision.includes('..') && !revision.includes('//')) return;
  throw new DownloadFailure(
    'InvalidSettings',
    `${JSON.stringify(revision.slice(0, 200))} is no revision: write a branch, a tag or a commit of the model.`,
  );
}

/**
 * The token to send, without the line end that `kubectl create secret --from-file` keeps.
 * Any key of any Secret can be named as the token: what does not look like one of Hugging Face must not leave the pod.
 * @throws DownloadFailure TokenInvalid, which does not tell the value.
 */
export function checkToken(value: string): string {
  const token = value.trim();
  if (TOKEN.test(token)) return token;
  throw new DownloadFailure(
    'TokenInvalid',
    'The Secret named by spec.model.tokenSecretRef holds no Hugging Face token (hf_...), so it was not sent anywhere: ' +
      'store a token of https://huggingface.co/settings/tokens under the key that tokenSecretRef names.',
  );
}

/**
 * The files that vLLM needs: safetensors weights, configuration and tokenizer; never pickles, which run code when they
 * are loaded, nor Python code.
 * @throws DownloadFailure NoSafetensors, or ModelRefused for names that would leave the directory or too many files.
 */
export function chooseFiles(model: string, all: readonly RepositoryFile[]): RepositoryFile[] {
  const wanted = all.filter(({ path }) => isWanted(path));
  for (const { path } of wanted) checkPath(model, path);
  // Mistral's repositories hold their weights twice: for Transformers, and as consolidated files.
  const twice = wanted.some(({ path }) => /^model[^/]*\.safetensors$/.test(path));
  const chosen = wanted.filter(({ path }) => !(twice && /^consolidated[^/]*\.safetensors/.test(path)));
  if (!chosen.some(({ path }) => path.endsWith('.safetensors'))) {
    throw new DownloadFailure(
      'NoSafetensors',
      `The model ${model} has no weights in the safetensors format, and others may run code when they are loaded: ` +
        'choose a repository or revision with .safetensors files.',
    );
  }
  if (chosen.length > MAX_FILES) {
    throw new DownloadFailure('ModelRefused', `The model ${model} has more than ${MAX_FILES} files to download.`);
  }
  if (new Set(chosen.map(({ path }) => path)).size !== chosen.length) {
    throw new DownloadFailure('ModelRefused', `The hub lists a file of the model ${model} twice.`);
  }
  return chosen;
}

const ADAPTER_CONFIG = 'adapter_config.json';
const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/**
 * The files that vLLM reads of a LoRA adapter: its weights as safetensors and its configuration, and no more, since many
 * a repository also holds the steps of its training.
 * @throws DownloadFailure NoSafetensors, or ModelRefused for what is no adapter.
 */
export function chooseAdapterFiles(adapter: string, all: readonly RepositoryFile[]): RepositoryFile[] {
  const chosen = all.filter(({ path }) => path === ADAPTER_CONFIG || path === ADAPTER_WEIGHTS);
  const holds = (wanted: string): boolean => chosen.some(({ path }) => path === wanted);
  if (!holds(ADAPTER_CONFIG)) {
    throw new DownloadFailure(
      'ModelRefused',
      `The adapter ${adapter} has no ${ADAPTER_CONFIG}, so it is no LoRA adapter in PEFT's format: ` +
        'check its id and revision in spec.adapters.',
    );
  }
  if (!holds(ADAPTER_WEIGHTS)) {
    throw new DownloadFailure(
      'NoSafetensors',
      `The adapter ${adapter} has no ${ADAPTER_WEIGHTS}, and other formats may run code when they are loaded: ` +
        'choose a repository or revision with that file.',
    );
  }
  if (chosen.length > 2) {
    throw new DownloadFailure('ModelRefused', `The hub lists a file of the adapter ${adapter} twice.`);
  }
  return chosen;
}

function isWanted(path: string): boolean {
  const segments = path.split('/');
  const hidden = segments.some((segment) => segment.startsWith('.') && segment !== '..' && segment !== '.');
  const skipped = segments.slice(0, -1).some((segment) => SKIPPED_DIRECTORIES.has(segment.toLowerCase()));
  return !hidden && !skipped && WANTED_SUFFIXES.some((suffix) => path.endsWith(suffix));
}

/** Sum of the sizes, in bytes. */
export function total(files: readonly { readonly size: number }[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Of the chosen files, those whose weights vLLM loads: not those in folders, and of a model that is stored both whole
 * and in parts with an index only the parts.
 */
export function loadedWeights(chosen: readonly RepositoryFile[]): RepositoryFile[] {
  const weights = chosen.filter(({ path }) => /^[^/]+\.safetensors$/.test(path));
  const parts = weights.filter(({ path }) => /^model-\d+-of-\d+\.safetensors$/.test(path));
  const indexed = parts.length > 0 && chosen.some(({ path }) => path === 'model.safetensors.index.json');
  return indexed ? parts : weights;
}

/** Names come from whoever owns the repository: nothing may be written outside the model's directory. */
function checkPath(model: string, path: string): void {
  const segments = path.split('/');
  const good =
    path.length <= MAX_PATH &&
    // Printable, and no backslash: what a log or a shell shows is what there is.
    /^[^\p{C}\\]+$/u.test(path) &&
    segments.every((segment) => segment !== '' && segment !== '.' && segment !== '..' && segment.length <= MAX_SEGMENT);
  if (good) return;
  throw new DownloadFailure(
    'ModelRefused',
    `The model ${model} has a file with the unsafe name ${JSON.stringify(path.slice(0, 100))}: choose another one.`,
  );
}
