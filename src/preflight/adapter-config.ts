import { DownloadFailure } from './failure.ts';
import type { JsonObject } from './model-config.ts';

/** vLLM has no kernels for more. */
const MAX_RANK = 512;

/** vLLM trains nothing on beside these. */
const MODULES = new Set(['classifier', 'score']);

/**
 * Returns the highest rank that an adapter's configuration names.
 * @throws DownloadFailure AdapterRefused for what vLLM would not load.
 */
export function adapterRank(id: string, config: JsonObject): number {
  if (config['peft_type'] !== 'LORA') throw refused(id, `is of the PEFT type ${shown(config['peft_type'])}, not LORA`);
  const saved = config['modules_to_save'];
  const others = Array.isArray(saved) && saved.some((name) => !MODULES.has(String(name)));
  if (config['use_dora'] === true) throw refused(id, 'uses DoRA, which vLLM does not support');
  if ((config['bias'] ?? 'none') !== 'none') throw refused(id, 'has biases, which vLLM does not support');
  if (others) throw refused(id, 'replaces whole modules (modules_to_save), which vLLM does not support');
  const pattern: unknown = config['rank_pattern'];
  const ranks: unknown[] = [
    config['r'],
    ...(typeof pattern === 'object' && pattern !== null ? Object.values(pattern) : []),
  ];
  const valid = ranks.filter(
    (rank) => typeof rank === 'number' && Number.isInteger(rank) && rank >= 1 && rank <= MAX_RANK,
  );
  if (valid.length === ranks.length) return Math.max(...(valid as number[]));
  throw refused(id, `has the rank ${shown(ranks.find((rank) => !valid.includes(rank)))}, not one of 1 to ${MAX_RANK}`);
}

function refused(id: string, what: string): DownloadFailure {
  return new DownloadFailure(
    'AdapterRefused',
    `The adapter ${id} ${what}: check its id and revision in spec.adapters.`,
  );
}

function shown(value: unknown): string {
  return value === undefined ? 'that is absent' : JSON.stringify(value).slice(0, 40);
}
