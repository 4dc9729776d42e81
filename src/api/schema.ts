/** Reads crds/: the parts of a CustomResourceDefinition that the generator and the API rules look at. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';

/** A CEL rule of a schema. */
export interface ValidationRule {
  rule: string;
  message?: string;
  reason?: string;
  fieldPath?: string;
}

/** The structural OpenAPI schema of a field, as far as crds/ uses it. */
export interface Schema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  maxProperties?: number;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  nullable?: boolean;
  'x-kubernetes-int-or-string'?: boolean;
  'x-kubernetes-preserve-unknown-fields'?: boolean;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-validations'?: ValidationRule[];
}

/** One column of `kubectl get`. */
export interface PrinterColumn {
  name: string;
  type: string;
  jsonPath: string;
  description?: string;
  priority?: number;
}

/** One kind of the API: its names and the schema of its only version. */
export interface Definition {
  group: string;
  version: string;
  kind: string;
  plural: string;
  shortNames: string[];
  categories: string[];
  columns: PrinterColumn[];
  /** True when status is a subresource. */
  statusSubresource: boolean;
  schema: Schema;
}

interface RawDefinition {
  spec: {
    group: string;
    names: { kind: string; plural: string; shortNames?: string[]; categories?: string[] };
    versions: {
      name: string;
      subresources?: { status?: object };
      additionalPrinterColumns?: PrinterColumn[];
      schema: { openAPIV3Schema: Schema };
    }[];
  };
}

/** Returns the definition in the YAML text of one CRD. Throws an Error when it does not have exactly one version. */
export function parseDefinition(text: string): Definition {
  const { spec } = parse(text) as RawDefinition;
  const [version, ...others] = spec.versions;
  if (version === undefined || others.length > 0) throw new Error(`${spec.names.kind} must have exactly one version.`);
  return {
    group: spec.group,
    version: version.name,
    kind: spec.names.kind,
    plural: spec.names.plural,
    shortNames: spec.names.shortNames ?? [],
    categories: spec.names.categories ?? [],
    columns: version.additionalPrinterColumns ?? [],
    statusSubresource: version.subresources?.status !== undefined,
    schema: version.schema.openAPIV3Schema,
  };
}

/** Returns every definition in a folder of CRDs, InferenceDeployment first and the others by name. */
export async function readDefinitions(folder: string): Promise<Definition[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml'));
  const definitions = await Promise.all(
    files.map(async (file) => parseDefinition(await readFile(join(folder, file), 'utf8'))),
  );
  const rank = (definition: Definition): string =>
    `${definition.kind === 'InferenceDeployment' ? 0 : 1}${definition.kind}`;
  return definitions.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** A field of a schema with the way to it, for example `spec.model.id`; `[]` and `{}` stand for an item and a value. */
export interface Field {
  path: string;
  /** Serialised name; empty for an item of a list or a value of a map. */
  name: string;
  schema: Schema;
  required: boolean;
}

/** Yields every field below a schema, parents before their children. */
export function* fieldsOf(schema: Schema, path = ''): Generator<Field> {
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const childPath = path === '' ? name : `${path}.${name}`;
    yield { path: childPath, name, schema: child, required: schema.required?.includes(name) ?? false };
    yield* fieldsOf(child, childPath);
  }
  if (schema.items !== undefined) {
    yield { path: `${path}[]`, name: '', schema: schema.items, required: true };
    yield* fieldsOf(schema.items, `${path}[]`);
  }
  if (typeof schema.additionalProperties === 'object') {
    yield { path: `${path}{}`, name: '', schema: schema.additionalProperties, required: false };
    yield* fieldsOf(schema.additionalProperties, `${path}{}`);
  }
}
