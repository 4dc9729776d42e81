/** TypeScript types from the schema of a CRD. */
import { compile } from 'json-schema-to-typescript';
import type { JSONSchema } from 'json-schema-to-typescript';
import type { Definition, Schema } from './schema.ts';

const pascal = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/**
 * Returns the JSON schema that json-schema-to-typescript reads: objects are closed (the API server prunes or refuses
 * unknown fields), each object has a title (the name of its interface, for example InferenceDeploymentSpecModel), and
 * bounds are left out, since a type cannot hold them.
 */
function toJsonSchema(schema: Schema, title: string): JSONSchema {
  const result: JSONSchema = {};
  if (schema.description !== undefined) result.description = schema.description;
  if (schema['x-kubernetes-int-or-string'] === true) return { ...result, tsType: 'number | string' };
  if (schema.enum !== undefined) result.enum = schema.enum as string[];
  if (schema.type !== undefined) result.type = schema.type as 'object';
  if (schema.items !== undefined) result.items = toJsonSchema(schema.items, `${title}Item`);
  if (typeof schema.additionalProperties === 'object') {
    result.additionalProperties = toJsonSchema(schema.additionalProperties, `${title}Value`);
  } else if (schema.type === 'object') {
    result.title = title;
    result.additionalProperties = false;
    result.properties = Object.fromEntries(
      Object.entries(schema.properties ?? {}).map(([name, child]) => [name, toJsonSchema(child, title + pascal(name))]),
    );
    result.required = schema.required ?? [];
  }
  return result;
}

/** Returns the text of the TypeScript file for one kind: its object type, Spec, Status and the objects in them. */
export async function typesFor(definition: Definition): Promise<string> {
  const { group, version, kind, schema } = definition;
  const { spec, status } = schema.properties ?? {};
  if (spec === undefined) throw new Error(`${kind} has no spec.`);
  const root: JSONSchema = {
    title: kind,
    description: schema.description ?? '',
    type: 'object',
    additionalProperties: false,
    required: ['metadata', 'spec'],
    properties: {
      apiVersion: { tsType: `'${group}/${version}'` },
      kind: { tsType: `'${kind}'` },
      metadata: { tsType: 'ObjectMeta' },
      spec: toJsonSchema(spec, `${kind}Spec`),
      ...(status === undefined ? {} : { status: toJsonSchema(status, `${kind}Status`) }),
    },
  };
  const text = await compile(root, kind, {
    bannerComment: `// Generated from crds/${definition.plural}.yaml by \`make generate\`; do not edit.\nimport type { ObjectMeta } from '../../kube/types.ts';`,
    additionalProperties: false,
    style: { singleQuote: true, printWidth: 120, trailingComma: 'all', bracketSpacing: true },
  });
  return text;
}
