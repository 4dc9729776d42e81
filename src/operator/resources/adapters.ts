/** How vLLM is told of the LoRA adapters of a replica. */
import { engineModelName } from '../../api/model-names.ts';
import type { KnownModel, ModelFiles } from './model-files.ts';

/** vLLM takes these and no others, and reserves GPU memory for the rank it is given. */
const RANKS = [1, 8, 16, 32, 64, 128, 256, 320, 512];
/** While nobody has read the adapters: most published ones have no higher one. */
const ASSUMED_RANK = 64;
/** Of adapters in one batch: each has its place in the memory of the GPUs, whether it is used or not. */
const MOST_IN_BATCH = 8;

/**
 * Returns vLLM's arguments for the adapters of the deployment `name`: `bounds`, which a profile may know better, and
 * `modules`; both empty where there are none. `known` tells their ranks, where somebody has read them.
 */
export function adapterArguments(
  name: string,
  { adapters }: Pick<ModelFiles, 'adapters'>,
  known: KnownModel,
): { bounds: string[]; modules: string[] } {
  if (adapters.length === 0) return { bounds: [], modules: [] };
  const ranks = (known?.adapters ?? []).map(({ rank }) => rank);
  const rank = ranks.length === 0 ? ASSUMED_RANK : Math.max(...ranks);
  const bound = RANKS.find((supported) => supported >= rank) ?? Math.max(...RANKS);
  return {
    bounds: [`--max-loras=${Math.min(adapters.length, MOST_IN_BATCH)}`, `--max-lora-rank=${bound}`],
    modules: [
      '--enable-lora',
      // One flag with all of them: argparse keeps the last of a repeated one.
      '--lora-modules',
      ...adapters.map((adapter) => `${engineModelName(name, adapter.name)}=${adapter.directory}`),
    ],
  };
}
