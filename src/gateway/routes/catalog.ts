/** GET /catalog: the models that the platform team recommends. */
import type { FastifyInstance } from 'fastify';
import type { CatalogModel } from '../../api/generated/catalog-model.ts';
import type { Authenticator } from '../types.ts';
import { authorize, BASES } from './context.ts';

/** What holds the catalogue. */
export interface Catalogue {
  list(): CatalogModel[];
}

/** Adds the route under every base. Without a catalogue, as outside of a cluster, there is nothing in it. */
export function addCatalogRoutes(
  app: FastifyInstance,
  { authenticator, catalogue }: { authenticator: Authenticator; catalogue?: Catalogue },
): void {
  const onRequest = authorize(authenticator, 'catalog', ['view', 'inference']);
  for (const base of BASES) {
    app.get(`${base}/catalog`, { onRequest }, () => ({
      object: 'list',
      data: (catalogue?.list() ?? [])
        .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
        .map(catalogObject),
    }));
  }
}

function catalogObject({ metadata, spec }: CatalogModel) {
  return {
    id: metadata.name,
    model: spec.modelId,
    description: spec.description ?? '',
    context_length: spec.contextLength ?? null,
    license: spec.license ?? null,
    gated: spec.gated ?? false,
    hardware_profile: spec.hardwareProfile ?? null,
  };
}
