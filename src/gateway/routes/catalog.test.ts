import { afterEach, expect, test } from '@jest/globals';
import { FILES_KEY, KEY, startGateway, VIEW_KEY, type RunningGateway } from '../../../test/support/gateway.ts';
import type { CatalogModel } from '../../api/generated/catalog-model.ts';

let gateway: RunningGateway;

afterEach(async () => {
  await gateway.close();
});

const LLAMA: CatalogModel = {
  metadata: { name: 'llama-3.1-8b-instruct' },
  spec: {
    modelId: 'meta-llama/Llama-3.1-8B-Instruct',
    description: 'General chat.',
    contextLength: 131_072,
    license: 'llama3.1',
    gated: true,
    hardwareProfile: 'gpu.a100',
    engine: { maxModelLen: 32_768 },
  },
};
const OWN: CatalogModel = { metadata: { name: 'a-model' }, spec: { modelId: 'org/model' } };

async function ask(path: string, key: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, body: await response.json() };
}

test('tells the catalogue under every base, by name', async () => {
  gateway = await startGateway([], {}, { catalogue: { list: () => [LLAMA, OWN] } });
  for (const base of ['/v1', '/api/v2/external/v1', '/api/v2/external']) {
    for (const key of [VIEW_KEY, KEY]) {
      expect(await ask(`${base}/catalog`, key)).toEqual({
        status: 200,
        body: {
          object: 'list',
          data: [
            {
              id: 'a-model',
              model: 'org/model',
              description: '',
              context_length: null,
              license: null,
              gated: false,
              hardware_profile: null,
            },
            {
              id: 'llama-3.1-8b-instruct',
              model: 'meta-llama/Llama-3.1-8B-Instruct',
              description: 'General chat.',
              context_length: 131_072,
              license: 'llama3.1',
              gated: true,
              hardware_profile: 'gpu.a100',
            },
          ],
        },
      });
    }
  }
});

test('is only for keys that may look or ask, and empty where there is none', async () => {
  gateway = await startGateway([]);
  expect(await ask('/v1/catalog', FILES_KEY)).toMatchObject({ status: 403 });
  expect(await ask('/v1/catalog', 'sk-unknown')).toMatchObject({ status: 401 });
  expect(await ask('/v1/catalog', KEY)).toEqual({ status: 200, body: { object: 'list', data: [] } });
});
