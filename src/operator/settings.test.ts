import { describe, expect, test } from '@jest/globals';
import { readSettings } from './settings.ts';

const minimal = { INFER_NAMESPACE: 'infer-system', INFER_IDENTITY: 'pod-1', INFER_IMAGE: 'infer:1' };

describe('readSettings', () => {
  test('needs a namespace, an identity and an image; the rest has defaults', () => {
    expect(readSettings(minimal)).toEqual({
      namespace: 'infer-system',
      watchNamespace: undefined,
      identity: 'pod-1',
      image: 'infer:1',
      hubEndpoint: 'https://huggingface.co',
      preflight: true,
      gatewayUrl: undefined,
      port: 8080,
      channelPort: 8443,
      pod: undefined,
      relistIntervalMs: 600_000,
      logLevel: 'info',
    });
  });

  test('a proxy is that of downloads', () => {
    const settings = readSettings({ ...minimal, HTTPS_PROXY: 'http://proxy.example.com:3128', NO_PROXY: '.svc' });
    expect(settings).toMatchObject({ httpsProxy: 'http://proxy.example.com:3128', noProxy: '.svc' });
  });

  test('the preflight is on or off', () => {
    expect(readSettings({ ...minimal, INFER_PREFLIGHT: 'off' }).preflight).toBe(false);
    expect(() => readSettings({ ...minimal, INFER_PREFLIGHT: 'false' })).toThrow('Set INFER_PREFLIGHT to on or off.');
  });

  test('URLs end without a slash', () => {
    const settings = readSettings({
      ...minimal,
      INFER_GATEWAY_URL: 'https://infer.example.com/v1/',
      HF_ENDPOINT: 'http://hub/',
    });
    expect(settings).toMatchObject({ gatewayUrl: 'https://infer.example.com/v1', hubEndpoint: 'http://hub' });
  });

  test.each(Object.keys(minimal))('a missing %s is named', (name) => {
    expect(() => readSettings({ ...minimal, [name]: '' })).toThrow(`Set ${name} to`);
  });

  test.each([
    ['HF_ENDPOINT', 'huggingface.co'],
    ['HF_ENDPOINT', 'file:///etc'],
    ['HTTPS_PROXY', 'proxy.example.com:3128'],
    ['HTTPS_PROXY', 'http://user:password@proxy.example.com:3128'],
    ['INFER_GATEWAY_URL', 'infer.example.com'],
    ['INFER_PORT', '70000'],
    ['INFER_PORT', 'http'],
    ['INFER_RELIST_SECONDS', '1'],
  ])('%s=%s is refused', (name, value) => {
    expect(() => readSettings({ ...minimal, [name]: value })).toThrow(name);
  });
});
