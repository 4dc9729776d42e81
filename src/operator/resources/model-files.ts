/** What a replica needs of a model and its LoRA adapters: at which commits, and where on the model volume. */
import type { InferenceDeployment, InferenceDeploymentStatus } from '../../api/generated/inference-deployment.ts';
import type { EnvironmentVariable, PodTemplate } from '../../api/kubernetes.ts';
import { MODEL_FILES_ANNOTATION } from '../../api/labels.ts';
import { contentHash } from '../../kube/hash.ts';
import { MODEL_DIRECTORY } from './engine.ts';
import { cacheName } from './names.ts';

/** What was found out about the model; undefined where nobody asked. */
export type KnownModel = InferenceDeploymentStatus['model'];

export interface HubFiles {
  /** The commit where it is known, else the branch or tag. */
  revision: string;
  directory: string;
}

export interface ModelFiles {
  /** The claim that holds them; absent for an emptyDir, to which each replica downloads. */
  claimName?: string;
  model: HubFiles;
  /** `id` is absent where the claim of a user holds the adapter. */
  adapters: (HubFiles & { name: string; id?: string })[];
}

/** Returns the files of the deployment; `cached`: a Job downloads them to the deployment's own claim. */
export function modelFiles(resource: InferenceDeployment, known: KnownModel, cached: boolean): ModelFiles {
  const { model, adapters = [] } = resource.spec;
  const { claim } = model;
  const revision = known?.commit ?? model.revision ?? 'main';
  const claimName = claim?.name ?? (cached ? cacheName(resource.metadata.name) : undefined);
  return {
    ...(claimName !== undefined && { claimName }),
    model: { revision, directory: cached ? folderOf(model.id, revision) : below(claim?.path) },
    adapters: adapters.map(({ name, id, path, ...adapter }) => {
      const commit = known?.adapters?.find((other) => other.name === name)?.commit ?? adapter.revision ?? 'main';
      // Below the download's own directory, in which no file of a model may lie: an adapter can hide nothing of it.
      const own = below(id === undefined ? path : `.infer/adapters/${name}`);
      return { name, ...(id && { id }), revision: commit, directory: cached ? folderOf(id, commit) : own };
    }),
  };
}

/**
 * Returns the annotation of a pod template whose files a Job brings: a template that is kept over the years says by
 * itself what it reads. Empty where the replicas bring the files themselves.
 */
export function filesAnnotation(files: ModelFiles): Record<string, string> {
  return isCached(files) ? { [MODEL_FILES_ANNOTATION]: JSON.stringify(files) } : {};
}

/** Returns the files that a Job is to bring for the pods of `template`; undefined where none is. */
export function filesOf({ metadata }: PodTemplate): ModelFiles | undefined {
  const text = metadata.annotations?.[MODEL_FILES_ANNOTATION];
  return text === undefined ? undefined : (JSON.parse(text) as ModelFiles);
}

function isCached({ model }: ModelFiles): boolean {
  return cacheFolders([model.directory]).length > 0;
}

/** Returns what tells the download where to put `files`. */
export function downloadEnvironment({ model, adapters }: ModelFiles): EnvironmentVariable[] {
  const downloads = adapters.flatMap(({ id, revision, directory }) =>
    id === undefined ? [] : [{ id, revision, directory }],
  );
  return [
    { name: 'INFER_MODEL_DIRECTORY', value: model.directory },
    ...(downloads.length === 0 ? [] : [{ name: 'INFER_ADAPTERS', value: JSON.stringify(downloads) }]),
  ];
}

/** Returns the names of the folders of a cache that are named in `texts`, each once. */
export function cacheFolders(texts: readonly string[]): string[] {
  const named = texts.flatMap((text) => [...text.matchAll(CACHE_FOLDER)].map(([, folder]) => folder ?? ''));
  return [...new Set(named)].toSorted();
}

const CACHE_FOLDER = new RegExp(`${MODEL_DIRECTORY}/([0-9a-f]{16})(?![\\w.-])`, 'g');

/** Whatever else is in a cache has another folder. */
function folderOf(id: string | undefined, revision: string): string {
  return `${MODEL_DIRECTORY}/${contentHash({ id, revision }).slice(0, 16)}`;
}

function below(path: string | undefined): string {
  return path === undefined ? MODEL_DIRECTORY : `${MODEL_DIRECTORY}/${path}`;
}
