import { createHash } from 'node:crypto';
import { safetensors, type Tensor } from './safetensors.ts';

/** A file of one revision. Files with `lfs` are stored by their SHA-256 and served from the other origin. */
export interface RepositoryFile {
  readonly path: string;
  readonly content: Buffer;
  /** Length that the hub lists, where it is not that of the content. */
  readonly size?: number;
  /** Git's own id of the file: SHA-1 over "blob SIZE\0" and the content (of the pointer, where it is in LFS). */
  readonly oid: string;
  readonly lfs: { readonly oid: string; readonly pointerSize: number } | undefined;
}

export interface Revision {
  readonly commit: string;
  readonly files: readonly RepositoryFile[];
}

export interface Repository {
  readonly id: string;
  readonly private: boolean;
  readonly gated: false | 'auto' | 'manual';
  readonly license: string;
  readonly architectures: readonly string[];
  /** Branch, tag and `refs/...` names to revisions; a commit id is found by itself. */
  readonly refs: Readonly<Record<string, Revision>>;
}

type Sources = Readonly<Record<string, string | Buffer>>;

const LFS_SUFFIXES = ['.safetensors', '.bin', '.pth', '.gguf'];

/** A revision of these files; its commit is a digest of them, so it is the same in every run. */
export function revision(sources: Sources): Revision {
  const files = Object.entries(sources).map(([path, source]) => repositoryFile(path, Buffer.from(source)));
  const all = files.map((file) => `${file.path} ${file.oid}`).join('\n');
  return { commit: createHash('sha1').update(all).digest('hex'), files };
}

function repositoryFile(path: string, content: Buffer): RepositoryFile {
  if (!LFS_SUFFIXES.some((suffix) => path.endsWith(suffix))) {
    return { path, content, oid: gitOid(content), lfs: undefined };
  }
  const oid = createHash('sha256').update(content).digest('hex');
  const pointer = Buffer.from(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`,
  );
  return { path, content, oid: gitOid(pointer), lfs: { oid, pointerSize: pointer.length } };
}

function gitOid(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const LLAMA = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  torch_dtype: 'bfloat16',
  hidden_size: 64,
  intermediate_size: 176,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 1024,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  bos_token_id: 1,
  eos_token_id: 2,
};

const TOKENIZER = {
  version: '1.0',
  added_tokens: [],
  model: { type: 'BPE', vocab: { '<s>': 1, '</s>': 2, a: 3, b: 4 }, merges: [] },
};

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|' + message.role + '|>\\n' + message.content + '<|end|>\\n' }}{% endfor %}" +
  "{{ '<|assistant|>\\n' }}";

/** What every repository has beside its weights. */
function common(config: object = LLAMA): Sources {
  return {
    '.gitattributes': '*.safetensors filter=lfs diff=lfs merge=lfs -text\n',
    'README.md': '---\nlicense: apache-2.0\n---\nGenerated for tests; the weights mean nothing.\n',
    'config.json': json(config),
    'generation_config.json': json({ bos_token_id: 1, eos_token_id: 2, do_sample: true }),
    'special_tokens_map.json': json({ bos_token: '<s>', eos_token: '</s>' }),
    'tokenizer.json': json(TOKENIZER),
    'tokenizer_config.json': json({ tokenizer_class: 'PreTrainedTokenizerFast', model_max_length: 8192 }),
    'chat_template.jinja': CHAT_TEMPLATE,
  };
}

function tensor(name: string, bytes: number): Tensor {
  return { name, dtype: 'BF16', shape: [bytes / 2] };
}

function weights(prefix: string, bytes: number): Buffer {
  return safetensors([
    tensor(`${prefix}.embed_tokens.weight`, bytes / 2),
    tensor(`${prefix}.lm_head.weight`, bytes / 2),
  ]);
}

function layerTensors(index: number): string[] {
  return [`layers.${index}.up.weight`, `layers.${index}.down.weight`];
}

function shards(count: number, bytes: number): Sources {
  const name = (index: number) =>
    `model-${String(index + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.safetensors`;
  const indexes = Array.from({ length: count }, (_, index) => index);
  return {
    'model.safetensors.index.json': json({
      metadata: { total_size: count * bytes },
      weight_map: Object.fromEntries(indexes.flatMap((index) => layerTensors(index).map((key) => [key, name(index)]))),
    }),
    ...Object.fromEntries(
      indexes.map((index) => [name(index), safetensors(layerTensors(index).map((key) => tensor(key, bytes / 2)))]),
    ),
  };
}

/** Any bytes: what a pickle holds does not matter, since nobody may load one. */
const PICKLE = Buffer.from('\u0080\u0002}q\u0000.', 'latin1');

/** A LoRA adapter of tiny-llama as PEFT saves it, with what a training leaves beside it. */
function adapter(rank: number): Sources {
  const layer = 'base_model.model.model.layers.0.self_attn.q_proj';
  const weightsOf = (shapes: Tensor['shape'][]): Tensor[] =>
    ['lora_A', 'lora_B'].map((half, at) => ({
      name: `${layer}.${half}.weight`,
      dtype: 'F32',
      shape: shapes[at] ?? [],
    }));
  return {
    'README.md': '---\nbase_model: infer-examples/tiny-llama\n---\nGenerated for tests; the weights mean nothing.\n',
    'adapter_config.json': json({
      base_model_name_or_path: 'infer-examples/tiny-llama',
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      r: rank,
      lora_alpha: 16,
      target_modules: ['q_proj'],
    }),
    'adapter_model.safetensors': safetensors(
      weightsOf([
        [rank, LLAMA.hidden_size],
        [LLAMA.hidden_size, rank],
      ]),
    ),
    'optimizer.pt': PICKLE,
    'tokenizer.json': json(TOKENIZER),
    'checkpoint-10/adapter_model.safetensors': 'an earlier step',
  };
}

function repository(id: string, main: Sources, options: Partial<Repository> = {}): Repository {
  return {
    id,
    private: false,
    gated: false,
    license: 'apache-2.0',
    architectures: LLAMA.architectures,
    refs: { main: revision(main) },
    ...options,
  };
}

/**
 * The repositories that the stand-in ships.
 * @param shardMiB size of each of the three weight files of sharded-llama.
 */
export function shippedRepositories(shardMiB = 2): Repository[] {
  const tiny = { ...common(), 'model.safetensors': weights('model', 256 * 1024) };
  const tinyWithLeftovers = {
    ...tiny,
    'pytorch_model.bin': PICKLE,
    'original/consolidated.00.pth': PICKLE,
    'original/params.json': json({ dim: 64 }),
    'tiny-llama-q4.gguf': 'GGUF',
  };
  const older = { ...tiny, 'generation_config.json': json({ do_sample: false }) };
  const embedding = { ...LLAMA, architectures: ['BertModel'], model_type: 'bert', max_position_embeddings: 512 };
  const { 'adapter_config.json': pickled = '' } = adapter(8);
  const unknown = { ...LLAMA, architectures: ['TransfusionNet'], model_type: 'transfusion' };
  return [
    repository('infer-examples/tiny-llama', tinyWithLeftovers, {
      refs: { main: revision(tinyWithLeftovers), 'v1.0': revision(older), 'refs/pr/1': revision(older) },
    }),
    repository('infer-examples/gated-llama', tiny, { gated: 'manual', license: 'llama3.1' }),
    repository('infer-examples/private-llama', tiny, { private: true }),
    repository('infer-examples/sharded-llama', { ...common(), ...shards(3, shardMiB * 1024 * 1024) }),
    repository(
      'infer-examples/tiny-embedding',
      { ...tiny, 'config.json': json(embedding) },
      {
        architectures: embedding.architectures,
      },
    ),
    repository(
      'infer-examples/unknown-architecture',
      { ...tiny, 'config.json': json(unknown) },
      {
        architectures: unknown.architectures,
      },
    ),
    repository('infer-examples/tiny-lora', adapter(8), {
      refs: { main: revision(adapter(8)), 'rank-256': revision(adapter(256)) },
    }),
    repository('infer-examples/gated-lora', adapter(8), { gated: 'manual' }),
    repository('infer-examples/pickle-lora', { 'adapter_config.json': pickled, 'adapter_model.bin': PICKLE }),
    repository('infer-examples/pickle-only', { ...common(), 'pytorch_model.bin': PICKLE }),
  ];
}
