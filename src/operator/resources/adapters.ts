/** LoRA adapters of a replica: where they lie on the model volume, what brings them there and how vLLM is told. */
import type { InferenceDeployment, InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import { engineModelName } from '../../api/model-names.ts';
import { MODEL_DIRECTORY } from './engine.ts';

type Adapter = NonNullable<InferenceDeploymentSpec['adapters']>[number];

/**
 * Below the download's own directory, in which no file of a model may lie: an adapter can hide nothing of it. A folder of
 * a claim lies where its owner has put it.
 */
function directoryOf({ name, path }: Adapter): string {
  return path === undefined ? `${MODEL_DIRECTORY}/.infer/adapters/${name}` : `${MODEL_DIRECTORY}/${path}`;
}

/**
 * Returns, as JSON, the adapters that the download container is to bring, each with its directory; undefined where there
 * are none.
 */
export function adapterDownloads(adapters: readonly Adapter[] = []): string | undefined {
  const downloads = adapters.flatMap((adapter) => {
    const { id, revision = 'main' } = adapter;
    return id === undefined ? [] : [{ id, revision, directory: directoryOf(adapter) }];
  });
  return downloads.length === 0 ? undefined : JSON.stringify(downloads);
}

/** vLLM takes these and no others, and reserves GPU memory for the rank it is given. */
const RANKS = [1, 8, 16, 32, 64, 128, 256, 320, 512];
/** While nobody has read the adapters: most published ones have no higher one. */
const ASSUMED_RANK = 64;
/** Of adapters in one batch: each has its place in the memory of the GPUs, whether it is used or not. */
const MOST_IN_BATCH = 8;

/**
 * Returns vLLM's arguments for the adapters of a deployment: `bounds`, which a profile may know better, and `modules`;
 * both empty where there are none. `rank` is the highest of the adapters; undefined while it is not known.
 */
export function adapterArguments(
  { metadata, spec: { adapters = [] } }: InferenceDeployment,
  rank: number | undefined,
): { bounds: string[]; modules: string[] } {
  if (adapters.length === 0) return { bounds: [], modules: [] };
  const bound =
    rank === undefined ? ASSUMED_RANK : (RANKS.find((supported) => supported >= rank) ?? Math.max(...RANKS));
  return {
    bounds: [`--max-loras=${Math.min(adapters.length, MOST_IN_BATCH)}`, `--max-lora-rank=${bound}`],
    modules: [
      '--enable-lora',
      // One flag with all of them: argparse keeps the last of a repeated one.
      '--lora-modules',
      ...adapters.map((adapter) => `${engineModelName(metadata.name, adapter.name)}=${directoryOf(adapter)}`),
    ],
  };
}
