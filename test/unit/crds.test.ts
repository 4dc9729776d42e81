import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { effectiveSpec } from '../../src/api/defaults.ts';
import { fieldsOf, parseDefinition, readDefinitions } from '../../src/api/schema.ts';
import type { Definition } from '../../src/api/schema.ts';
import { NOT_YET, refusedPaths, rules, specOf } from './crd-rules.ts';

const definitions = await readDefinitions(join(import.meta.dirname, '../../crds'));

function definitionOf(kind: string): Definition {
  const found = definitions.find((definition) => definition.kind === kind);
  if (found === undefined) throw new Error(`crds/ has no ${kind}`);
  return found;
}

/** A definition that keeps every rule, for each rule to be broken in. */
const good = `
spec:
  group: infer.dev
  names: {kind: Sample, plural: samples, shortNames: [sam], categories: [infer-all]}
  versions:
    - name: v1alpha1
      subresources: {status: {}}
      additionalPrinterColumns:
        - {name: Age, type: date, description: Time since it was created., jsonPath: .metadata.creationTimestamp}
      schema:
        openAPIV3Schema:
          type: object
          description: Sample is a sample.
          required: [spec]
          properties:
            spec:
              type: object
              description: spec is what you want.
              properties:
                count:
                  type: integer
                  minimum: 1
                  maximum: 9
                  default: 1
                  description: count is how many. Unit samples. Default 1. Example 2.
            status:
              type: object
              description: status is what was observed.
              properties:
                conditions:
                  type: array
                  maxItems: 8
                  x-kubernetes-list-type: map
                  x-kubernetes-list-map-keys: [type]
                  description: conditions say how it is.
                  items:
                    type: object
                    required: [type]
                    description: One condition.
                    properties:
                      type: {type: string, maxLength: 64, description: type is its name.}
`;

describe('every kind of the API keeps the rule:', () => {
  test.each(rules)('$sentence', ({ violations, breakIt }) => {
    for (const definition of definitions) {
      expect({ [definition.kind]: violations(definition) }).toEqual({ [definition.kind]: [] });
    }
    const sample = parseDefinition(good);
    expect(violations(sample)).toEqual([]);
    breakIt(sample);
    expect(violations(sample)).not.toEqual([]);
  });
});

describe('crds/', () => {
  test('holds the five kinds', () => {
    expect(definitions.map(({ kind, plural }) => `${kind} ${plural}`)).toEqual([
      'InferenceDeployment inferencedeployments',
      'APIKey apikeys',
      'CatalogModel catalogmodels',
      'HardwareProfile hardwareprofiles',
      'InferenceBatch inferencebatches',
    ]);
  });

  test('InferenceDeployment is found by `kubectl get infer` and `kubectl get all`, keys are not in `all`', () => {
    const inCategoryAll = definitions.filter(({ categories }) => categories.includes('all')).map(({ kind }) => kind);
    expect(inCategoryAll).toEqual(['InferenceDeployment']);
    expect(definitionOf('InferenceDeployment').shortNames).toEqual(['infer']);
  });

  test('`kubectl get infer` shows the agreed columns', () => {
    const { columns } = definitionOf('InferenceDeployment');
    const names = (wide: boolean): string[] =>
      columns.filter(({ priority }) => (priority === 1) === wide).map(({ name }) => name.toUpperCase());
    expect(names(false).join(' ')).toBe('MODEL PROFILE READY DESIRED RPS P95(MS) SCALING STATUS AGE');
    expect(names(true).join(' ')).toBe('MIN MAX COST/H ENDPOINT');
  });

  test('the fields of features to come are the ones refused', () => {
    expect(definitions.flatMap(refusedPaths).sort()).toEqual(
      ['spec.requestsPerMinute', 'spec.tokensPerMinute', 'spec.maxStreams', 'spec.remoteCode', 'spec.podLabels'].sort(),
    );
    expect(NOT_YET).toBe('not supported by this version of Infer yet');
  });

  test('no field of the spec lets a user choose code, an image or an identity for the pod', () => {
    const names = [...fieldsOf(specOf(definitionOf('InferenceDeployment')))].map(({ name }) => name);
    expect(
      names.filter((name) =>
        /image|command|args|env|volume|template|serviceAccount|securityContext|url|host/i.test(name),
      ),
    ).toEqual([]);
  });

  test('engine settings are the same in the catalogue as in a deployment', () => {
    const [catalogue, deployment] = ['CatalogModel', 'InferenceDeployment'].map(
      (kind) => specOf(definitionOf(kind)).properties?.['engine']?.properties,
    );
    expect(catalogue).toEqual(deployment);
    expect(Object.keys(catalogue ?? {})).toContain('maxModelLen');
  });

  test('the defaults in code are the defaults of the schema', () => {
    const properties = specOf(definitionOf('InferenceDeployment')).properties ?? {};
    const defaults = Object.entries(properties).flatMap(([name, schema]) =>
      schema.default === undefined ? [] : [[name, schema.default]],
    );
    const model = { id: 'org/name' };
    const { scaling, ...spec } = effectiveSpec({ model });
    expect(spec).toEqual({ model, maxReplicas: 1, ...Object.fromEntries(defaults) });
    const described = Object.entries(properties['scaling']?.properties ?? {}).map(([name, { description = '' }]) => [
      name,
      Number(/Default (\d+)[.]/.exec(description)?.[1]),
    ]);
    expect(scaling).toEqual(Object.fromEntries(described));
  });
});
