import { describe, expect, test } from '@jest/globals';
import { MemoryInformer } from '../../test/support/memory-informer.ts';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { APIKey } from '../api/generated/api-key.ts';
import type { InferenceDeployment, InferenceDeploymentSpec } from '../api/generated/inference-deployment.ts';
import type { EndpointSlice } from '../api/kubernetes.ts';
import { DEPLOYMENT_INDEXES } from './caches.ts';
import { DeploymentRegistry } from './registry.ts';
import type { TrackedDeployment } from './tracked-deployment.ts';
import type { AuthenticatedKey } from './types.ts';

const KEY: AuthenticatedKey = { keyId: 'abcdefgh', namespace: 'team-a', name: 'web', scopes: new Set(['inference']) };
const OTHER_KEY: AuthenticatedKey = { ...KEY, namespace: 'team-b' };

function apiKey({ namespace, name, keyId }: AuthenticatedKey, deployments?: string[]): APIKey {
  return { metadata: { namespace, name }, spec: { keyId, hash: '', ...(deployments && { deployments }) } };
}

function deployment(
  name: string,
  namespace = 'team-a',
  uid = `uid-${name}`,
  more: Partial<InferenceDeploymentSpec> = {},
): InferenceDeployment {
  const { spec } = inferenceDeployment(more);
  return { metadata: { name, namespace, uid, creationTimestamp: '2026-11-22T10:00:00Z' }, spec };
}

function claims(name: string, aliases: string[], uid = `uid-${name}`): InferenceDeployment {
  return deployment(name, 'team-a', uid, { aliases });
}

/** A slice of the Service of `chat`; each pod as `UID`, `UID!` (not ready). */
function slice(name: string, pods: string[], labels: Record<string, string> = {}, namespace = 'team-a'): EndpointSlice {
  return {
    metadata: {
      name,
      namespace,
      labels: { 'infer.dev/deployment-uid': 'uid-chat', 'kubernetes.io/service-name': 'infer-chat', ...labels },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8000 }],
    endpoints: pods.map((pod) => ({
      addresses: [`10.0.0.${pod.charCodeAt(0)}`],
      conditions: { ready: !pod.endsWith('!') },
      targetRef: { kind: 'Pod', uid: pod.replace('!', '') },
    })),
  };
}

function setUp(): {
  registry: DeploymentRegistry;
  resources: MemoryInformer<InferenceDeployment>;
  slices: MemoryInformer<EndpointSlice>;
  keys: MemoryInformer<APIKey>;
} {
  const resources = new MemoryInformer<InferenceDeployment>(DEPLOYMENT_INDEXES);
  const slices = new MemoryInformer<EndpointSlice>({
    uid: ({ metadata }) => [metadata.labels?.['infer.dev/deployment-uid'] ?? ''],
  });
  const keys = new MemoryInformer<APIKey>();
  keys.put(apiKey(KEY));
  keys.put(apiKey(OTHER_KEY));
  const registry = new DeploymentRegistry({ inferenceDeployments: resources, endpointSlices: slices, apiKeys: keys });
  return { registry, resources, slices, keys };
}

/** The deployment that `model` means. */
function found(registry: DeploymentRegistry, model = 'chat', key = KEY): TrackedDeployment | undefined {
  return registry.resolve(key, model)?.deployment;
}

/** The names of GET /models. */
function listed(registry: DeploymentRegistry, key = KEY): string[] {
  return registry.list(key).map(({ id }) => id);
}

/** The replicas of `chat`, with `!` behind those that do not serve. */
function replicas(registry: DeploymentRegistry): string[] | undefined {
  const all = found(registry)?.replicas();
  return all?.map(({ podUid, serving }) => `${podUid}${serving ? '' : '!'}`);
}

test('a deployment is found by its name, as long as it is there', () => {
  const { registry, resources } = setUp();
  resources.put(deployment('chat'));
  expect(registry.find('team-a', 'chat')).toBe(found(registry));
  expect(registry.find('team-b', 'chat')).toBeUndefined();
  resources.remove(deployment('chat'));
  expect(registry.find('team-a', 'chat')).toBeUndefined();
});

describe('a model', () => {
  test('is the name of a deployment, alone or after its namespace', () => {
    const { registry, resources } = setUp();
    resources.put(deployment('chat'));
    const chat = found(registry);
    expect(chat).toMatchObject({ namespace: 'team-a', name: 'chat', uid: 'uid-chat', created: 1795341600 });
    expect(chat?.holdTimeoutSeconds).toBe(50);
    expect(registry.resolve(KEY, 'team-a/chat')).toEqual({
      id: 'team-a/chat',
      deployment: chat,
      engineModel: 'chat',
      parent: undefined,
    });
  });

  test.each(['', '/', 'Chat', 'team-a/', '/chat', 'team-a/team-a/chat', 'team-b/chat', 'chat/', '__proto__'])(
    '%j is unknown',
    (model) => {
      const { registry, resources } = setUp();
      resources.put(deployment('chat'));
      expect(registry.resolve(KEY, model)).toBeUndefined();
    },
  );

  test('of another namespace is unknown, in both ways to write it', () => {
    const { registry, resources } = setUp();
    resources.put(deployment('chat', 'team-a'));
    resources.put(deployment('chat', 'team-b', 'uid-b'));
    expect(found(registry, 'chat', OTHER_KEY)?.uid).toBe('uid-b');
    expect(registry.resolve(OTHER_KEY, 'team-a/chat')).toBeUndefined();
    expect(registry.list(OTHER_KEY).map(({ deployment: { uid } }) => uid)).toEqual(['uid-b']);
  });

  test.each([[['chat', 'elsewhere']], [['team-a/chat']]])('is reached by a key for %j, others are not', (allowed) => {
    const { registry, resources, keys } = setUp();
    for (const name of ['other', 'chat', 'another']) resources.put(deployment(name));
    expect(listed(registry)).toEqual(['another', 'chat', 'other']);
    keys.put(apiKey(KEY, allowed));
    expect(registry.resolve(KEY, 'chat')).toBeDefined();
    expect(registry.resolve(KEY, 'other')).toBeUndefined();
    expect(listed(registry)).toEqual(['chat']);
  });

  test('is unknown once its deployment or the key is gone', () => {
    const { registry, resources, keys } = setUp();
    resources.put(deployment('chat'));
    keys.remove(apiKey(KEY));
    expect(registry.resolve(KEY, 'chat')).toBeUndefined();
    keys.put(apiKey(KEY));
    expect(registry.resolve(KEY, 'chat')).toBeDefined();
    resources.remove(deployment('chat'));
    expect(registry.resolve(KEY, 'chat')).toBeUndefined();
    expect(registry.list(KEY)).toEqual([]);
    expect(registry.all()).toEqual([]);
  });
});

describe('an alias', () => {
  test('is another name of its deployment, in its namespace alone', () => {
    const { registry, resources } = setUp();
    resources.put(claims('chat', ['Llama-3.1', 'llama']));
    expect(registry.resolve(KEY, 'llama')).toMatchObject({ id: 'llama', engineModel: 'chat' });
    expect(found(registry, 'team-a/Llama-3.1')).toBe(found(registry));
    expect(registry.resolve(KEY, 'LLAMA')).toBeUndefined();
    expect(registry.resolve(OTHER_KEY, 'llama')).toBeUndefined();
    expect(listed(registry)).toEqual(['Llama-3.1', 'chat', 'llama']);
    resources.put(claims('chat', ['llama']));
    expect(registry.resolve(KEY, 'Llama-3.1')).toBeUndefined();
  });

  test.each([[['old', 'new']], [['new', 'old']]])('of two deployments is the older one’s, seen as %j', (order) => {
    const { registry, resources } = setUp();
    const all: Record<string, InferenceDeployment> = { old: claims('old', ['llama']), new: claims('new', ['llama']) };
    if (all['new']) all['new'].metadata.creationTimestamp = '2026-11-22T10:00:01Z';
    for (const name of order) if (all[name]) resources.put(all[name]);
    expect(found(registry, 'llama')?.name).toBe('old');
    expect(listed(registry)).toEqual(['llama', 'new', 'old']);
    resources.remove(claims('old', []));
    expect(found(registry, 'llama')?.name).toBe('new');
  });

  test('yields to an id, which goes by age no more', () => {
    const { registry, resources } = setUp();
    resources.put(claims('chat', ['llama'], 'uid-1'));
    resources.put(deployment('llama', 'team-a', 'uid-2'));
    expect(found(registry, 'llama')?.name).toBe('llama');
    expect(listed(registry)).toEqual(['chat', 'llama']);
    resources.remove(deployment('llama', 'team-a', 'uid-2'));
    expect(found(registry, 'llama')?.name).toBe('chat');
  });

  test('of a deployment that a key may not reach is unknown to it', () => {
    const { registry, resources, keys } = setUp();
    resources.put(claims('chat', ['llama']));
    keys.put(apiKey(KEY, ['llama', 'other']));
    expect(registry.resolve(KEY, 'llama')).toBeUndefined();
    keys.put(apiKey(KEY, ['chat']));
    expect(found(registry, 'llama')?.name).toBe('chat');
  });
});

describe('an adapter', () => {
  const SQL = { adapters: [{ name: 'sql', id: 'org/lora' }], aliases: ['llama'], allowKeysFrom: ['team-b'] };

  test('is named after its model, by id or alias, and its engine knows it by the id', () => {
    const { registry, resources } = setUp();
    resources.put(deployment('chat', 'team-a', 'uid-chat', SQL));
    for (const [model, parent] of [
      ['chat:sql', 'chat'],
      ['llama:sql', 'llama'],
      ['team-a/chat:sql', 'team-a/chat'],
    ] as const) {
      expect(registry.resolve(KEY, model)).toMatchObject({ id: model, engineModel: 'chat:sql', parent });
    }
    expect(registry.resolve(OTHER_KEY, 'team-a/llama:sql')).toMatchObject({ engineModel: 'chat:sql' });
    expect(registry.list(KEY).map(({ id, parent }) => [id, parent])).toEqual([
      ['chat', undefined],
      ['chat:sql', 'chat'],
      ['llama', undefined],
    ]);
    expect(registry.list(OTHER_KEY).map(({ id, parent }) => [id, parent])).toContainEqual([
      'team-a/chat:sql',
      'team-a/chat',
    ]);
  });

  test.each(['chat:', 'chat:python', 'sql', ':sql', 'chat:sql:sql', 'chat:sql/', 'chat/sql', 'chat:chat'])(
    '%j is unknown',
    (model) => {
      const { registry, resources } = setUp();
      resources.put(deployment('chat', 'team-a', 'uid-chat', SQL));
      expect(registry.resolve(KEY, model)).toBeUndefined();
    },
  );
});

describe('a deployment that lets keys of another namespace in', () => {
  const SHARED = { allowKeysFrom: ['team-b'], aliases: ['llama'] };

  test('is reached by its namespace and id or alias, never by the id alone', () => {
    const { registry, resources } = setUp();
    resources.put(deployment('chat', 'team-a', 'uid-chat', SHARED));
    resources.put(deployment('private'));
    expect(found(registry, 'team-a/chat', OTHER_KEY)?.uid).toBe('uid-chat');
    expect(found(registry, 'team-a/llama', OTHER_KEY)?.uid).toBe('uid-chat');
    for (const model of ['chat', 'llama', 'team-b/chat', 'team-a/private']) {
      expect(registry.resolve(OTHER_KEY, model)).toBeUndefined();
    }
    expect(listed(registry, OTHER_KEY)).toEqual(['team-a/chat', 'team-a/llama']);
    expect(listed(registry)).toEqual(['chat', 'llama', 'private']);
    resources.put(deployment('chat'));
    expect(registry.resolve(OTHER_KEY, 'team-a/chat')).toBeUndefined();
    expect(listed(registry, OTHER_KEY)).toEqual([]);
  });

  test('stands beside one of the same name in the namespace of the key', () => {
    const { registry, resources } = setUp();
    resources.put(deployment('chat', 'team-a', 'uid-a', SHARED));
    resources.put(deployment('chat', 'team-b', 'uid-b'));
    expect(found(registry, 'chat', OTHER_KEY)?.uid).toBe('uid-b');
    expect(found(registry, 'team-a/chat', OTHER_KEY)?.uid).toBe('uid-a');
    expect(listed(registry, OTHER_KEY)).toEqual(['chat', 'team-a/chat', 'team-a/llama']);
  });

  test.each([
    [['chat'], false],
    [['team-b/chat'], false],
    [['team-a/chat'], true],
  ])('is reached by a key for %j: %j', (allowed, reached) => {
    const { registry, resources, keys } = setUp();
    resources.put(deployment('chat', 'team-a', 'uid-chat', SHARED));
    keys.put(apiKey(OTHER_KEY, allowed));
    expect(registry.resolve(OTHER_KEY, 'team-a/chat') !== undefined).toBe(reached);
    expect(listed(registry, OTHER_KEY).length > 0).toBe(reached);
  });
});

describe('the replicas of a deployment', () => {
  test('are the pods of all slices of its Service, whichever is seen first', () => {
    const { registry, resources, slices } = setUp();
    slices.put(slice('one', ['a', 'b!']));
    resources.put(deployment('chat'));
    expect(replicas(registry)).toEqual(['a', 'b!']);
    slices.put(slice('two', ['c']));
    expect(replicas(registry)).toEqual(['a', 'b!', 'c']);
    slices.remove(slice('one', []));
    expect(replicas(registry)).toEqual(['c']);
  });

  test('are the same objects as long as a pod is in any slice, and none once it is gone', () => {
    const { registry, resources, slices } = setUp();
    resources.put(deployment('chat'));
    slices.put(slice('one', ['a']));
    const chat = found(registry);
    const replica = chat?.replicas()[0];
    slices.put(slice('one', ['a!', 'b']));
    slices.put(slice('two', ['a']));
    slices.put(slice('one', ['b']));
    expect(chat?.replicas().find(({ podUid }) => podUid === 'a')).toBe(replica);
    expect(replica?.serving).toBe(true);
    slices.put(slice('two', []));
    expect(replicas(registry)).toEqual(['b']);
    expect(replica?.serving).toBe(false);
  });

  test('are others when a pod has a new address', () => {
    const { registry, resources, slices } = setUp();
    resources.put(deployment('chat'));
    slices.put(slice('one', ['a']));
    const replica = found(registry)?.replicas()[0];
    const moved = slice('one', ['a']);
    slices.put({ ...moved, endpoints: [{ addresses: ['10.9.9.9'], targetRef: { kind: 'Pod', uid: 'a' } }] });
    expect(
      found(registry)
        ?.replicas()
        .map(({ origin }) => origin),
    ).toEqual(['http://10.9.9.9:8000']);
    expect(replica?.serving).toBe(false);
  });

  test.each([
    ['of another Service with its labels', slice('x', ['a'], { 'kubernetes.io/service-name': 'mine' })],
    ['of its predecessor', slice('x', ['a'], { 'infer.dev/deployment-uid': 'uid-before' })],
    ['of another namespace', slice('x', ['a'], {}, 'team-b')],
  ])('are not those in a slice %s', (_, foreign) => {
    const { registry, resources, slices } = setUp();
    resources.put(deployment('chat'));
    slices.put(foreign);
    expect(replicas(registry)).toEqual([]);
  });

  test('leave with a slice whose labels change', () => {
    const { registry, resources, slices } = setUp();
    resources.put(deployment('chat'));
    slices.put(slice('one', ['a']));
    slices.put(slice('one', ['a'], { 'infer.dev/deployment-uid': 'uid-other' }));
    expect(replicas(registry)).toEqual([]);
  });

  test('are not inherited by a deployment that is made again under the name', () => {
    const { registry, resources, slices } = setUp();
    resources.put(deployment('chat'));
    slices.put(slice('one', ['a']));
    const before = found(registry);
    resources.put(deployment('chat', 'team-a', 'uid-new'));
    expect(found(registry)?.uid).toBe('uid-new');
    expect(replicas(registry)).toEqual([]);
    expect(before?.replicas()).toEqual([]);
  });
});

describe('who waits for a replica', () => {
  test('is told when one begins or ends to serve, and of nothing else', () => {
    const { registry, resources, slices } = setUp();
    resources.put(deployment('chat'));
    let told = 0;
    const stop = found(registry)?.onReplicasChange(() => (told += 1));
    const seen = (): number => told;
    slices.put(slice('one', ['a!']));
    expect(seen()).toBe(0);
    slices.put(slice('one', ['a']));
    expect(seen()).toBe(1);
    slices.put(slice('one', ['a', 'b!']));
    expect(seen()).toBe(1);
    slices.put(slice('one', ['b']));
    expect(seen()).toBe(2);
    slices.put(slice('one', []));
    expect(seen()).toBe(3);
    stop?.();
    slices.put(slice('one', ['a']));
    expect(seen()).toBe(3);
  });

  test('is told when the deployment goes', () => {
    const { registry, resources, slices } = setUp();
    resources.put(deployment('chat'));
    slices.put(slice('one', ['a']));
    let told = 0;
    found(registry)?.onReplicasChange(() => (told += 1));
    resources.remove(deployment('chat'));
    expect(told).toBe(1);
  });

  test('sees a changed hold timeout on the deployment that it has', () => {
    const { registry, resources } = setUp();
    resources.put(deployment('chat'));
    const chat = found(registry);
    const changed = deployment('chat');
    resources.put({ ...changed, spec: { ...changed.spec, holdTimeoutSeconds: 7 } });
    expect(found(registry)).toBe(chat);
    expect(chat?.holdTimeoutSeconds).toBe(7);
  });
});
