import { describe, expect, test } from '@jest/globals';
import { ownedPart, ownersOf, ownsAll } from './managed-fields.ts';
import type { FieldsV1, KubeObject, ManagedFieldsEntry } from './types.ts';

const PORT = 'k:{"containerPort":8000,"protocol":"TCP"}';

/** What a server lists for a Deployment-like object that `us` applied. */
const ours: FieldsV1 = {
  'f:metadata': { 'f:labels': { 'f:app': {} }, 'f:finalizers': { '.': {}, 'v:"ours/cleanup"': {} } },
  'f:spec': {
    'f:replicas': {},
    'f:selector': {},
    'f:containers': {
      'k:{"name":"main"}': {
        '.': {},
        'f:name': {},
        'f:image': {},
        'f:ports': { [PORT]: { '.': {}, 'f:containerPort': {} } },
      },
    },
  },
};

function objectWith(...managedFields: ManagedFieldsEntry[]): KubeObject {
  return { metadata: { name: 'x', managedFields } };
}

interface Intent extends KubeObject {
  spec: Record<string, unknown>;
}

function intent(spec: Record<string, unknown>, metadata: object = {}): Intent {
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x', namespace: 'n', ...metadata }, spec };
}

describe('the owners of a field', () => {
  const object = objectWith(
    { manager: 'us', operation: 'Apply', fieldsV1: ours },
    { manager: 'kubectl', operation: 'Update', subresource: 'scale', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
    { manager: 'nobody' },
  );

  test.each<[string[], string[]]>([
    [
      ['spec', 'replicas'],
      ['us', 'kubectl'],
    ],
    [['spec', 'selector', 'matchLabels'], ['us']],
    [['spec', 'containers', 'k:{"name":"main"}', 'image'], ['us']],
    [['spec', 'containers', 'k:{"name":"other"}', 'image'], []],
    [['spec', 'template'], []],
  ])('at %j are %j', (path, owners) => {
    expect(ownersOf(object, path)).toEqual(owners);
  });

  test('of an object without managedFields are nobody', () => {
    expect(ownersOf({ metadata: { name: 'x' } }, ['spec'])).toEqual([]);
  });
});

describe('whether a manager owns all of an intent', () => {
  const object = objectWith(
    { manager: 'us', operation: 'Apply', fieldsV1: ours },
    { manager: 'other', operation: 'Update', fieldsV1: { 'f:spec': { 'f:paused': {} } } },
  );
  const main = { name: 'main', image: 'a' };

  test.each<[string, boolean, Record<string, unknown>]>([
    ['a scalar that it owns', true, { replicas: 0 }],
    ['a map that it owns as a whole', true, { selector: { matchLabels: { app: 'x' } } }],
    ['a field that another owns', false, { paused: true }],
    ['a field that nobody owns', false, { minReadySeconds: 0 }],
    ['an item by its key', true, { containers: [main] }],
    ['an item whose key is defaulted in part', true, { containers: [{ ...main, ports: [{ containerPort: 8000 }] }] }],
    [
      'an item with another key',
      false,
      { containers: [{ ...main, ports: [{ containerPort: 8000, protocol: 'UDP' }] }] },
    ],
    ['an item that is gone', false, { containers: [main, { name: 'side' }] }],
    ['a field of an item that it does not own', false, { containers: [{ ...main, command: ['x'] }] }],
    ['an empty list, which sets nothing', true, { volumes: [] }],
    ['an empty map, which is a value', false, { emptyDir: {} }],
    ['a field that is undefined', true, { paused: undefined }],
  ])('%s: %s', (_title, owned, spec) => {
    expect(ownsAll(object, 'us', intent(spec))).toBe(owned);
  });

  describe('of items whose keys differ in a part that one of them leaves out', () => {
    const tcp = { 'k:{"port":53,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:name': {} } };
    const udp = { 'k:{"port":53,"protocol":"UDP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} } };
    const ports = [
      { port: 53, name: 'dns' },
      { port: 53, protocol: 'UDP' },
    ];
    test.each<[string, boolean, FieldsV1, unknown[]]>([
      ['both', true, { ...tcp, ...udp }, ports],
      ['both, in another order', true, { ...udp, ...tcp }, ports],
      ['only the one with the whole key', false, udp, ports],
      ['only the one that leaves it out', false, tcp, ports],
    ])('it owns %s: %s', (_title, owned, fields, wanted) => {
      const service = objectWith({ manager: 'us', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:ports': fields } } });
      expect(ownsAll(service, 'us', intent({ ports: wanted }))).toBe(owned);
    });
  });

  test.each<[boolean, object]>([
    [true, { labels: { app: 'x' }, uid: 'u', resourceVersion: '1' }],
    [false, { labels: { app: 'x', more: 'y' } }],
    [true, { finalizers: ['ours/cleanup'] }],
    [false, { finalizers: ['theirs/cleanup'] }],
  ])('%s for metadata %j', (owned, metadata) => {
    expect(ownsAll(object, 'us', intent({}, metadata))).toBe(owned);
  });

  test('what it wrote through a subresource does not count', () => {
    const scaled = objectWith({ manager: 'us', subresource: 'scale', fieldsV1: { 'f:spec': { 'f:replicas': {} } } });
    expect(ownsAll(scaled, 'us', intent({ replicas: 1 }))).toBe(false);
  });

  test('what a webhook changed of its own apply, listed as an update of its name, counts', () => {
    const both = objectWith(
      { manager: 'us', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
      { manager: 'us', operation: 'Update', fieldsV1: { 'f:spec': { 'f:paused': {} } } },
    );
    expect(ownsAll(both, 'us', intent({ replicas: 1, paused: true }))).toBe(true);
  });
});

describe('what a manager owns of a part', () => {
  const live = {
    metadata: {
      name: 'x',
      managedFields: [
        { manager: 'us', operation: 'Apply', fieldsV1: ours },
        { manager: 'other', operation: 'Update', fieldsV1: { 'f:spec': { 'f:paused': {} } } },
      ],
    },
    spec: {
      replicas: 2,
      paused: true,
      selector: { app: 'x' },
      containers: [
        { name: 'sidecar', image: 'theirs' },
        {
          name: 'main',
          image: 'ours',
          imagePullPolicy: 'IfNotPresent',
          ports: [
            { containerPort: 8000, protocol: 'TCP' },
            { containerPort: 9000, protocol: 'TCP' },
          ],
        },
      ],
    },
  };

  test('is its fields with their present values, without those of others and without defaults', () => {
    expect(ownedPart(live, 'us', ['spec'])).toEqual({
      replicas: 2,
      selector: { app: 'x' },
      containers: [{ name: 'main', image: 'ours', ports: [{ containerPort: 8000 }] }],
    });
  });

  test.each<[string, string, string[], unknown]>([
    ['a list below the object', 'us', ['spec', 'containers', 'none'], undefined],
    ['a field of its own', 'us', ['spec', 'replicas'], 2],
    ['a field of another', 'us', ['spec', 'paused'], undefined],
    ['anything, for one who owns nothing', 'nobody', ['spec'], undefined],
  ])('of %s is as expected', (_title, manager, path, part) => {
    expect(ownedPart(live, manager, path)).toEqual(part);
  });
});
