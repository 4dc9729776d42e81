/** As much of an API server as keeps objects by their path: get, create and merge of what a test does not refuse. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { answerJson, startHttpStub, type StubRequest } from './http-stub.ts';

interface Stored {
  metadata: Record<string, unknown>;
  [field: string]: unknown;
}

export interface FakeObjectsApi {
  readonly kubeconfig: string;
  /** By path, such as `/api/v1/namespaces/team-a/secrets/x`. */
  readonly objects: Map<string, Stored>;
  readonly requests: StubRequest[];
  /** Returns the status and message that a request is refused with, before or after it is done; else nothing. */
  refuse: (request: StubRequest) => { status: number; message: string; afterwards?: boolean } | undefined;
  close(): Promise<void>;
}

export async function startFakeObjectsApi(): Promise<FakeObjectsApi> {
  const folder = await mkdtemp(join(tmpdir(), 'infer-fake-objects-'));
  const objects = new Map<string, Stored>();
  const stub = await startHttpStub((request, response) => {
    const refusal = api.refuse(request);
    if (refusal === undefined || refusal.afterwards === true) {
      const [status, body] = answerTo(objects, request);
      if (refusal === undefined) return answerJson(response, body, status);
    }
    const { status, message } = refusal;
    answerJson(response, { kind: 'Status', reason: 'Refused', code: status, message }, status);
  });
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(
    kubeconfig,
    stringify({
      clusters: [{ name: 'fake', cluster: { server: stub.url, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'fake', user: {} }],
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake', namespace: 'team-a' } }],
      'current-context': 'fake',
    }),
  );
  const api: FakeObjectsApi = {
    kubeconfig,
    objects,
    requests: stub.requests,
    refuse: () => undefined,
    close: async () => {
      await stub.close();
      await rm(folder, { recursive: true });
    },
  };
  return api;
}

function answerTo(objects: Map<string, Stored>, { method, path, body }: StubRequest): [number, object] {
  const { pathname, searchParams } = new URL(path, 'http://localhost');
  const isDryRun = searchParams.has('dryRun');
  const object = objects.get(pathname);
  const missing = { kind: 'Status', reason: 'NotFound', code: 404, message: 'none', details: { name: 'none' } };
  if (method === 'POST') {
    const sent = JSON.parse(body) as Stored;
    const created = { ...sent, metadata: { ...sent.metadata, uid: 'uid-1', resourceVersion: '1' } };
    if (!isDryRun) objects.set(`${pathname}/${String(sent.metadata['name'])}`, created);
    return [201, created];
  }
  if (object === undefined) {
    // Names of kinds are plural; tests name no object so.
    const isList = method === 'GET' && /\/[a-z]+s$/.test(pathname);
    return isList ? [200, { metadata: { resourceVersion: '1' }, items: [] }] : [404, missing];
  }
  if (method === 'DELETE') objects.delete(pathname);
  if (method !== 'PATCH') return [200, object];
  const patch = JSON.parse(body) as Stored;
  const merged = { ...object, ...patch, metadata: { ...object.metadata, ...patch.metadata } };
  if (!isDryRun) objects.set(pathname, merged);
  return [200, merged];
}
