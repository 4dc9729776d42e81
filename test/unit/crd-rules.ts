/** The rules that every kind of Infer's API keeps. Each is checked over crds/, and shown to fail on a broken definition. */
import { fieldsOf } from '../../src/api/schema.ts';
import type { Definition, Field, Schema, ValidationRule } from '../../src/api/schema.ts';

/** A rule of the API. */
export interface ApiRule {
  /** The rule as a sentence. */
  sentence: string;
  /** Returns one line for each place that breaks the rule. */
  violations: (definition: Definition) => string[];
  /** Breaks the rule in `definition`, which kept it. */
  breakIt: (definition: Definition) => void;
}

export const NOT_YET = 'not supported by this version of Infer yet';

const all = (definition: Definition): Field[] => [...fieldsOf(definition.schema)];
const named = (definition: Definition): Field[] =>
  all(definition).filter(({ name, path }) => name !== '' && path !== 'metadata');
const inSpec = (field: Field): boolean => field.path.startsWith('spec.');
const isQuantity = (schema: Schema): boolean => schema['x-kubernetes-int-or-string'] === true;
const isNumber = (schema: Schema): boolean => schema.type === 'integer' || schema.type === 'number';
const isLeaf = (schema: Schema): boolean => schema.properties === undefined;
const paths = (fields: Field[]): string[] => fields.map(({ path }) => path);

/** Returns the spec of a definition. Throws an Error when there is none. */
export function specOf(definition: Definition): Schema {
  const spec = definition.schema.properties?.['spec'];
  if (spec === undefined) throw new Error(`${definition.kind} has no spec`);
  return spec;
}

/** Returns the properties of the spec. */
function specFields(definition: Definition): Record<string, Schema> {
  return (specOf(definition).properties ??= {});
}

/** Returns every CEL rule with the path of the schema that holds it. */
function celRules(definition: Definition): { path: string; rule: ValidationRule }[] {
  const holders = [{ path: '', schema: definition.schema }, ...all(definition)];
  return holders.flatMap(({ path, schema }) =>
    (schema['x-kubernetes-validations'] ?? []).map((rule) => ({ path, rule })),
  );
}

/** Returns the paths of the fields that a rule refuses as not supported yet. */
export function refusedPaths(definition: Definition): string[] {
  return celRules(definition)
    .filter(({ rule }) => rule.message?.includes(NOT_YET))
    .map(({ path, rule }) => `${path}${rule.fieldPath ?? ''}`);
}

export const rules: ApiRule[] = [
  {
    sentence: "a field's description begins with the field's name and ends as a sentence does",
    violations: (definition) => {
      const wordless = all(definition).filter(
        ({ path, schema }) => path !== 'metadata' && !/[.]$/.test(schema.description ?? ''),
      );
      const misnamed = named(definition).filter(({ name, schema }) => !schema.description?.startsWith(`${name} `));
      return paths([...wordless, ...misnamed]);
    },
    breakIt: (definition) => {
      specFields(definition)['size'] = { type: 'integer', minimum: 1, maximum: 2, description: 'The size.' };
    },
  },
  {
    sentence: "a field of the spec gives an example and says its default, unless its object's example shows it",
    violations: (definition) =>
      paths(
        named(definition)
          .filter(
            ({ schema, required }) =>
              isLeaf(schema) &&
              !(
                /Example\W/.test(schema.description ?? '') &&
                (required || /[Dd]efault/.test(schema.description ?? ''))
              ),
          )
          .filter(inSpec),
      ),
    breakIt: (definition) => {
      specFields(definition)['size'] = { type: 'integer', minimum: 1, maximum: 2, description: 'size is the size.' };
    },
  },
  {
    sentence: 'the default in the schema is the default in the description',
    violations: (definition) =>
      paths(
        named(definition).filter(({ schema }) => {
          if (schema.default === undefined) return false;
          const value = JSON.stringify(schema.default).replaceAll('"', '');
          return !schema.description?.includes(`Default ${value}`);
        }),
      ),
    breakIt: (definition) => {
      const { count } = specFields(definition);
      if (count !== undefined) count.default = 7;
    },
  },
  {
    sentence: 'a number or quantity says its unit',
    violations: (definition) =>
      paths(
        named(definition).filter(
          ({ name, schema }) =>
            (isNumber(schema) || isQuantity(schema)) &&
            name !== 'observedGeneration' &&
            !/\bUnit \w/.test(schema.description ?? ''),
        ),
      ),
    breakIt: (definition) => {
      specFields(definition)['size'] = { type: 'integer', description: 'size is how big. Default 1. Example 2.' };
    },
  },
  {
    sentence: 'strings, lists, maps and the numbers of the spec are bounded',
    violations: (definition) =>
      paths(
        all(definition).filter((field) => {
          const { path, schema } = field;
          if (path === 'metadata' || path === 'apiVersion' || path === 'kind') return false;
          if (schema.type === 'string' || isQuantity(schema)) return !(schema.maxLength ?? schema.enum);
          if (schema.type === 'array') return schema.maxItems === undefined;
          if (schema.additionalProperties !== undefined) return schema.maxProperties === undefined;
          if (isNumber(schema)) return schema.minimum === undefined || (inSpec(field) && schema.maximum === undefined);
          return false;
        }),
      ),
    breakIt: (definition) => {
      specFields(definition)['title'] = { type: 'string', description: 'title is a title. Default none. Example x.' };
    },
  },
  {
    sentence: 'a list says how it merges, and a list merged by key requires that key',
    violations: (definition) =>
      paths(
        all(definition).filter(({ schema }) => {
          if (schema.type !== 'array') return false;
          const keys = schema['x-kubernetes-list-map-keys'] ?? [];
          if (schema['x-kubernetes-list-type'] === undefined) return true;
          if (schema['x-kubernetes-list-type'] !== 'map') return keys.length > 0;
          return keys.length === 0 || keys.some((key) => !schema.items?.required?.includes(key));
        }),
      ),
    breakIt: (definition) => {
      specFields(definition)['names'] = { type: 'array', items: { type: 'string' } };
    },
  },
  {
    sentence: 'conditions are the first field of a status and merge by type',
    violations: ({ schema }) => {
      const status = schema.properties?.['status']?.properties;
      if (status === undefined) return [];
      const { conditions } = status;
      const byType = conditions?.['x-kubernetes-list-map-keys']?.join() === 'type';
      return Object.keys(status)[0] === 'conditions' && byType ? [] : ['status.conditions'];
    },
    breakIt: ({ schema }) => {
      const status = schema.properties?.['status'];
      if (status !== undefined) status.properties = { replicas: { type: 'integer' }, ...status.properties };
    },
  },
  {
    sentence: 'no field is called phase: conditions are the contract',
    violations: (definition) => paths(named(definition).filter(({ name }) => /^(phase|state)$/i.test(name))),
    breakIt: ({ schema }) => {
      const status = schema.properties?.['status'];
      if (status?.properties !== undefined) status.properties['phase'] = { type: 'string' };
    },
  },
  {
    sentence: 'a defaulted field is not required',
    violations: (definition) =>
      paths(named(definition).filter(({ schema, required }) => required && schema.default !== undefined)),
    breakIt: (definition) => {
      specOf(definition).required = ['count'];
    },
  },
  {
    sentence: 'no field takes what the schema does not know, null, or an integer or string other than a quantity',
    violations: (definition) =>
      paths(
        all(definition).filter(
          ({ path, schema }) =>
            schema['x-kubernetes-preserve-unknown-fields'] === true ||
            schema.nullable === true ||
            schema.additionalProperties === true ||
            (schema.type === 'object' && path !== 'metadata' && !schema.properties && !schema.additionalProperties) ||
            (isQuantity(schema) && !/[Qq]uantity/.test(schema.description ?? '')),
        ),
      ),
    breakIt: (definition) => {
      specFields(definition)['template'] = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
    },
  },
  {
    sentence: 'the only number with a fraction is targetRps; amounts and rates are decimal strings',
    violations: (definition) =>
      paths(all(definition).filter(({ name, schema }) => schema.type === 'number' && name !== 'targetRps')),
    breakIt: (definition) => {
      specFields(definition)['price'] = { type: 'number' };
    },
  },
  {
    sentence: 'what a user writes is checked by CEL with a message, never by a bare pattern',
    violations: (definition) =>
      paths(all(definition).filter((field) => inSpec(field) && field.schema.pattern !== undefined)),
    breakIt: (definition) => {
      specFields(definition)['code'] = { type: 'string', pattern: '^[A-Z]+$' };
    },
  },
  {
    sentence: 'the message of a CEL rule is a sentence that says what to write or remove',
    violations: (definition) =>
      celRules(definition)
        .filter(({ rule }) => {
          const message = rule.message ?? '';
          return !(
            /[.]$/.test(message) && /\b(write|remove|raise|choose|name at least|must be|must have)\b/.test(message)
          );
        })
        .map(({ path, rule }) => `${path}: ${rule.message ?? rule.rule}`),
    breakIt: (definition) => {
      specOf(definition)['x-kubernetes-validations'] = [{ rule: 'self.count > 1', message: 'invalid count' }];
    },
  },
  {
    sentence: 'the field that a CEL rule points to exists',
    violations: (definition) => {
      const known = new Set(paths(all(definition)));
      return celRules(definition)
        .map(({ path, rule }) => `${path}${rule.fieldPath ?? ''}`)
        .filter((path) => path !== '' && !known.has(path));
    },
    breakIt: (definition) => {
      specOf(definition)['x-kubernetes-validations'] = [
        { rule: 'true', message: 'write something else.', fieldPath: '.cuont' },
      ];
    },
  },
  {
    sentence: 'a field says that it is not supported yet exactly where a rule refuses it',
    violations: (definition) => {
      const refused = new Set(refusedPaths(definition));
      const said = new Set(paths(named(definition).filter(({ schema }) => schema.description?.includes(NOT_YET))));
      return [...refused.symmetricDifference(said)];
    },
    breakIt: (definition) => {
      specOf(definition)['x-kubernetes-validations'] = [
        { rule: '!has(self.count)', message: `count is ${NOT_YET}; remove it.`, fieldPath: '.count' },
      ];
    },
  },
  {
    sentence: 'spec is required, status never, and status is a subresource where there is one',
    violations: ({ schema, statusSubresource }) => {
      const wrong: string[] = [];
      if (schema.required?.join() !== 'spec') wrong.push('required');
      if (statusSubresource !== (schema.properties?.['status'] !== undefined)) wrong.push('subresources.status');
      return wrong;
    },
    breakIt: (definition) => {
      definition.statusSubresource = false;
    },
  },
  {
    sentence:
      'a kind has a short name, the category infer-all, and columns with a description that end in Age or are wide',
    violations: ({ shortNames, categories, columns }) => {
      const wrong = columns.filter(({ description }) => !/[^.]+[.]$/.test(description ?? '')).map(({ name }) => name);
      if (shortNames.length !== 1) wrong.push('shortNames');
      if (!categories.includes('infer-all')) wrong.push('categories');
      if (columns.findLast(({ priority }) => priority === undefined)?.name !== 'Age') wrong.push('Age');
      return wrong;
    },
    breakIt: (definition) => {
      definition.categories = [];
    },
  },
];
