/** docs/reference/api.md from the schemas of the CRDs. */
import { fieldsOf } from './schema.ts';
import type { Definition, Field, Schema } from './schema.ts';

/** Returns the type of a field as a reader of YAML would say it. */
function typeName(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'quantity';
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.items !== undefined) return `list of ${typeName(schema.items)}`;
  if (typeof schema.additionalProperties === 'object') return `map of ${typeName(schema.additionalProperties)}`;
  if (schema.format === 'date-time') return 'time (RFC 3339)';
  const bounds = [schema.minimum, schema.maximum];
  if (bounds.every((bound) => bound !== undefined)) return `${schema.type}, ${bounds.join(' to ')}`;
  return schema.type ?? '';
}

const cell = (text: string): string =>
  text
    .replaceAll('|', String.raw`\|`)
    .replaceAll('\n', ' ')
    .replaceAll('<', '&lt;');

function row({ path, schema, required }: Field): string {
  let fallback = required ? 'required' : '';
  if (schema.default !== undefined) fallback = `\`${JSON.stringify(schema.default)}\``;
  return `| \`${path}\` | ${cell(typeName(schema))} | ${cell(fallback)} | ${cell(schema.description ?? '')} |`;
}

/** Returns a line for every CEL rule: the field and what to write instead. */
function refusals(schema: Schema): string[] {
  const lines: string[] = [];
  const add = (path: string, part: Schema): void => {
    for (const { message, fieldPath } of part['x-kubernetes-validations'] ?? []) {
      lines.push(`- \`${path}${fieldPath ?? ''}\`: ${message ?? ''}`);
    }
  };
  add('metadata.name', schema);
  for (const field of fieldsOf(schema)) add(field.path, field.schema);
  return lines;
}

function section(definition: Definition): string {
  const { kind, plural, group, version, shortNames, schema } = definition;
  const fields = [...fieldsOf(schema)].filter(({ path, name }) => /^(spec|status)\b/.test(path) && name !== '');
  const short = shortNames.length === 0 ? '' : `, short name \`${shortNames.join('`, `')}\``;
  return [
    `## ${kind}`,
    '',
    schema.description ?? '',
    '',
    `\`${group}/${version}\`, \`kubectl get ${plural}\`${short}.`,
    '',
    '| field | type | default | description |',
    '|---|---|---|---|',
    ...fields.map(row),
    '',
    `What the API server refuses, and what to write instead:`,
    '',
    ...refusals(schema),
    '',
  ].join('\n');
}

/** Returns the text of docs/reference/api.md. */
export function apiReference(definitions: Definition[]): string {
  return [
    '# API reference',
    '',
    'Generated from `crds/` by `make generate`; do not edit. The same text is in `kubectl explain`, for example `kubectl explain infer.spec.model`. `[]` in a field stands for each item of a list.',
    '',
    ...definitions.map(section),
  ].join('\n');
}
