import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** What the simulator needs of a model. */
export interface Model {
  readonly architecture: string;
  /** The longest context the model allows, in tokens. */
  readonly maxPositionEmbeddings: number;
  /** Embedding models serve /v1/embeddings and no text generation. */
  readonly embedding: boolean;
}

/** vLLM would refuse this model; `where` is the process whose traceback shows it, `type` the Python exception. */
export class ModelError extends Error {
  override name = 'ModelError';
  readonly type: string;
  readonly where: 'APIServer' | 'EngineCore';

  constructor(type: string, where: 'APIServer' | 'EngineCore', message: string) {
    super(message);
    this.type = type;
    this.where = where;
  }
}

const GENERATION = /^[A-Za-z0-9_]+(For(CausalLM|ConditionalGeneration)|LMHeadModel)$/;
const EMBEDDING = /^[A-Za-z0-9_]+(Model|ForSequenceClassification)$/;
const DEFAULT: Model = { architecture: 'LlamaForCausalLM', maxPositionEmbeddings: 8192, embedding: false };

/**
 * Reads config.json and checks that every weight file is there when `path` is absolute; a model id stands for a small
 * Llama, since the simulator downloads nothing.
 * @throws ModelError with the message of vLLM's own error.
 */
export function readModel(path: string): Model {
  if (!isAbsolute(path)) return DEFAULT;
  const config = readConfig(path);
  const listed: unknown = config['architectures'];
  const architectures = Array.isArray(listed) ? listed.filter((name) => typeof name === 'string') : [];
  const architecture = architectures[0] ?? '';
  const embedding = !GENERATION.test(architecture) && EMBEDDING.test(architecture);
  if (!embedding && !GENERATION.test(architecture)) throw unsupported(architectures);
  checkWeights(path);
  const length = config['max_position_embeddings'];
  return {
    architecture,
    maxPositionEmbeddings: typeof length === 'number' ? length : DEFAULT.maxPositionEmbeddings,
    embedding,
  };
}

/** The error vLLM gives for a model class it does not have. */
export function unsupported(architectures: readonly string[]): ModelError {
  const names = architectures.map((name) => `'${name}'`).join(', ');
  return new ModelError(
    'pydantic_core._pydantic_core.ValidationError',
    'APIServer',
    '1 validation error for ModelConfig\n' +
      `  Value error, Model architectures [${names}] are not supported for now. Supported architectures: ` +
      "dict_keys(['LlamaForCausalLM', 'MistralForCausalLM', 'Qwen2ForCausalLM', 'Qwen3ForCausalLM']) " +
      "[type=value_error, input_value=ArgsKwargs((), {'model': ...}), input_type=ArgsKwargs]\n" +
      '    For further information visit https://errors.pydantic.dev/2.12/v/value_error',
  );
}

/** The error vLLM gives for a path without a configuration that it knows. */
export function missingModel(path: string): ModelError {
  return new ModelError(
    'ValueError',
    'APIServer',
    `Invalid repository ID or local directory specified: '${path}'.\n` +
      'Please verify the following requirements:\n' +
      '1. Provide a valid Hugging Face repository ID.\n' +
      '2. Specify a local directory that contains a recognized configuration file.\n' +
      "   - For Hugging Face models: ensure the presence of a 'config.json'.\n" +
      "   - For Mistral models: ensure the presence of a 'params.json'.",
  );
}

function readConfig(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(join(path, 'config.json'), 'utf8');
  } catch {
    throw missingModel(path);
  }
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    const file = join(path, 'config.json');
    throw new ModelError(
      'OSError',
      'APIServer',
      `It looks like the config file at '${file}' is not a valid JSON file.`,
    );
  }
}

function checkWeights(path: string): void {
  const files = readdirSync(path).filter((name) => name.endsWith('.safetensors'));
  if (files.length === 0) {
    throw new ModelError('RuntimeError', 'EngineCore', `Cannot find any model weights with \`${path}\``);
  }
  const index = join(path, 'model.safetensors.index.json');
  if (!existsSync(index)) return;
  const map = (JSON.parse(readFileSync(index, 'utf8')) as { weight_map?: Record<string, string> }).weight_map ?? {};
  const missing = [...new Set(Object.values(map))].find((name) => !files.includes(name));
  if (missing !== undefined) {
    throw new ModelError('FileNotFoundError', 'EngineCore', `No such file or directory: "${join(path, missing)}"`);
  }
}
