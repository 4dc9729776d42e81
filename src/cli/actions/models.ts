/** `infer models`: what the platform team recommends, and what runs. */
import type { CatalogModel } from '../../api/generated/catalog-model.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { inferenceDeployments } from '../../api/resources.ts';
import { listAll } from '../cluster/find.ts';
import { readCatalogue, systemNamespace } from '../cluster/install.ts';
import type { Context } from '../context.ts';
import { deploymentColumns } from '../output/deployments.ts';
import { printStructured, printTable } from '../output/objects.ts';
import type { Column } from '../output/table.ts';

/** Prints catalogue and deployments. Throws CliFailure. */
export async function models(context: Context, options: { all?: boolean }): Promise<void> {
  const client = await context.kube();
  const namespace = options.all === true ? undefined : await context.namespace();
  const [catalogue, deployments] = await Promise.all([
    readCatalogue(context),
    listAll(client, inferenceDeployments, { namespace, signal: context.signal }),
  ]);
  if (context.output === 'name') {
    for (const { metadata } of catalogue ?? []) context.print(metadata.name);
    return;
  }
  if (await printStructured(context, { catalogue: catalogue ?? [], deployments })) return;
  const from = systemNamespace(context);
  if (catalogue === undefined) {
    context.note(`You may not read the catalogue in namespace ${from}; ask for the role "view" there.`);
  } else if (catalogue.length === 0) {
    context.note(
      `The catalogue in namespace ${from} is empty. Any model of Hugging Face: infer deploy ORGANISATION/NAME`,
    );
  } else {
    context.print('Catalogue:');
    printTable(context, catalogueColumns(deployments), catalogue);
  }
  if (deployments.length === 0) return context.note('\nNothing is deployed yet: infer deploy MODEL --wait');
  context.print('\nDeployments:');
  printTable(context, deploymentColumns(context.now(), { namespace: namespace === undefined }), deployments);
}

function catalogueColumns(deployments: readonly InferenceDeployment[]): Column<CatalogModel>[] {
  const runsAs = ({ spec }: CatalogModel): string =>
    deployments
      .filter((one) => one.spec.model.id === spec.modelId)
      .map(({ metadata }) => metadata.name)
      .join(', ');
  return [
    { header: 'NAME', value: ({ metadata }) => metadata.name },
    { header: 'MODEL', value: ({ spec }) => spec.modelId, cutTo: 24, drop: 3 },
    { header: 'PROFILE', value: ({ spec }) => spec.hardwareProfile ?? '' },
    { header: 'CONTEXT', value: ({ spec }) => String(spec.contextLength ?? ''), align: 'right', drop: 2 },
    { header: 'LICENCE', value: ({ spec }) => spec.license ?? '', cutTo: 10, drop: 1 },
    { header: 'TOKEN', value: ({ spec }) => (spec.gated === true ? 'needed' : '') },
    { header: 'RUNS AS', value: runsAs, cutTo: 10 },
    { header: 'DESCRIPTION', value: ({ spec }) => spec.description ?? '', wide: true, cutTo: 20, drop: 0 },
  ];
}
