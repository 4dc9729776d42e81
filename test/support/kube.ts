/** What tests against a real API server share. */
import { randomUUID } from 'node:crypto';
import { KubeConfig } from '@kubernetes/client-node';
import { KubeClient } from '../../src/kube/client.ts';
import type { ClientOptions } from '../../src/kube/client.ts';
import type { KubeObject, Logger, Resource } from '../../src/kube/types.ts';

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

export const configMaps: Resource<ConfigMap> = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
};

export const namespaces: Resource = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
};

export const serviceAccounts: Resource = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
};

/** Returns the kubeconfig of the tier's control plane. Throws an Error outside the integration and faults tiers. */
export function sharedKubeconfig(): string {
  const file = process.env['INFER_TEST_KUBECONFIG'];
  if (file === undefined) throw new Error('INFER_TEST_KUBECONFIG is not set: run this by `make test-integration`');
  return file;
}

/** Returns a client of the kubeconfig in `file`. */
export function clientOf(file: string, options?: ClientOptions): KubeClient {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(file);
  return KubeClient.fromKubeConfig(kubeConfig, options);
}

/** Makes a namespace that no other test uses and returns its name. */
export async function createNamespace(client: KubeClient, prefix: string): Promise<string> {
  const name = `${prefix}-${randomUUID().slice(0, 8)}`;
  await client.create(namespaces, { metadata: { name } });
  return name;
}

/** Returns a ConfigMap to be created. */
export function configMap(namespace: string, name: string, data: Record<string, string> = {}): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data };
}

/** A logger that keeps its lines. */
export class MemoryLogger implements Logger {
  readonly lines: { level: string; message: string; fields: object }[] = [];

  debug(fields: object, message: string): void {
    this.lines.push({ level: 'debug', message, fields });
  }

  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', message, fields });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', message, fields });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', message, fields });
  }
}
