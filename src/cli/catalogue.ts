/** Pure: what MODEL means. */
import type { CatalogModel } from '../api/generated/catalog-model.ts';
import type { InferenceDeploymentSpecModel } from '../api/generated/inference-deployment.ts';

export interface ResolvedModel {
  model: InferenceDeploymentSpecModel;
  /** What the platform team recommends for it. */
  entry: CatalogModel | undefined;
}

/**
 * Returns what `text` means: a name of the catalogue, an id at the hub (ORGANISATION/NAME), or a volume
 * (claim:NAME[/PATH]). Undefined for a name that the catalogue does not hold.
 */
export function resolveModel(text: string, catalogue: readonly CatalogModel[]): ResolvedModel | undefined {
  if (text.startsWith('claim:')) {
    const [name = '', ...path] = text.slice('claim:'.length).split('/');
    const claim = path.length === 0 ? { name } : { name, path: path.join('/') };
    return { model: { claim }, entry: undefined };
  }
  const named = catalogue.find(({ metadata }) => metadata.name === text);
  if (named !== undefined) return { model: { id: named.spec.modelId }, entry: named };
  if (!text.includes('/')) return undefined;
  return { model: { id: text }, entry: catalogue.find(({ spec }) => spec.modelId === text) };
}
