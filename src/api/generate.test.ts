import { describe, expect, test } from '@jest/globals';
import { apiReference } from './generate-docs.ts';
import { typesFor } from './generate-types.ts';
import { fieldsOf, parseDefinition } from './schema.ts';

const definition = parseDefinition(`
spec:
  group: example.dev
  names: {kind: Box, plural: boxes, shortNames: [bx]}
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          type: object
          description: Box holds things.
          required: [spec]
          properties:
            metadata: {type: object}
            spec:
              type: object
              description: spec is what you want.
              required: [size]
              x-kubernetes-validations:
                - {rule: '!has(self.colour)', fieldPath: .colour, message: remove colour.}
              properties:
                size: {x-kubernetes-int-or-string: true, description: size is a quantity.}
                colour: {type: string, enum: [red, blue], default: red, description: 'colour is red | blue.'}
                count: {type: integer, minimum: 1, maximum: 9, description: count is how many.}
                labels: {type: object, additionalProperties: {type: string}, description: labels are words.}
                lids:
                  type: array
                  maxItems: 3
                  description: lids are on top.
                  items: {type: object, properties: {name: {type: string, description: name is its name.}}}
`);

describe('the types of a kind', () => {
  test('name each object by its place, close it, and keep the descriptions', async () => {
    const text = await typesFor(definition);
    expect(text).toContain("import type { ObjectMeta } from '../../kube/types.ts';");
    expect(text).toMatch(/export interface Box \{\s+apiVersion\?: 'example.dev\/v1';\s+kind\?: 'Box';/);
    expect(text).toMatch(/metadata: ObjectMeta;\s+spec: BoxSpec;\s+\}/);
    expect(text).toMatch(/size is a quantity.\s+\*\/\s+size: number \| string;/);
    expect(text).toContain("colour?: 'red' | 'blue';");
    expect(text).toContain('lids?: BoxSpecLidsItem[];');
    expect(text).toContain('[k: string]: string;');
    expect(text).not.toContain('unknown');
  });

  test('need a spec', async () => {
    await expect(typesFor({ ...definition, schema: { type: 'object' } })).rejects.toThrow('Box has no spec.');
  });
});

test('the reference has a row for each field and a line for each rule', () => {
  const lines = apiReference([definition]).split('\n');
  expect(lines).toContain('`example.dev/v1`, `kubectl get boxes`, short name `bx`.');
  expect(lines).toContain('| `spec.size` | quantity | required | size is a quantity. |');
  expect(lines).toContain(
    String.raw`| ${'`spec.colour`'} | ${'`red`, `blue`'} | ${'`"red"`'} | colour is red \| blue. |`,
  );
  expect(lines).toContain('| `spec.count` | integer, 1 to 9 |  | count is how many. |');
  expect(lines).toContain('| `spec.labels` | map of string |  | labels are words. |');
  expect(lines).toContain('| `spec.lids[].name` | string |  | name is its name. |');
  expect(lines).toContain('- `spec.colour`: remove colour.');
});

test('a CRD of two versions is refused: the generator would have to choose', () => {
  const version = '{name: v1, schema: {openAPIV3Schema: {type: object}}}';
  expect(() =>
    parseDefinition(`spec: {group: a.b, names: {kind: Two, plural: twos}, versions: [${version}, ${version}]}`),
  ).toThrow('Two must have exactly one version.');
});

test('fields come with their parents first, items and values included', () => {
  expect([...fieldsOf(definition.schema)].map(({ path }) => path)).toEqual([
    'metadata',
    'spec',
    'spec.size',
    'spec.colour',
    'spec.count',
    'spec.labels',
    'spec.labels{}',
    'spec.lids',
    'spec.lids[]',
    'spec.lids[].name',
  ]);
});
