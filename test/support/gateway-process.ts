/** The gateway as a process of its own, as it runs in a cluster. */
import { join, resolve } from 'node:path';
import { LoggedProcess } from './logged-process.ts';

const ENTRY = join(resolve(import.meta.dirname, '../..'), 'src/gateway/main.ts');

export class GatewayProcess extends LoggedProcess {
  /**
   * Starts a gateway that finds the API server by this kubeconfig, from its sources or another `entry`, and returns at once.
   * Its ports are free ones.
   */
  static start(kubeconfig: string, environment: Record<string, string> = {}, entry = ENTRY): GatewayProcess {
    return new GatewayProcess(entry, {
      KUBECONFIG: kubeconfig,
      INFER_API_PORT: '0',
      INFER_PORT: '0',
      INFER_INTERNAL_PORT: '0',
      INFER_LEAVE_SECONDS: '0',
      ...environment,
    });
  }

  /** The URL of its API, once it serves. */
  async serving(): Promise<string> {
    return await this.urlOf('apiPort');
  }

  /** The URL of its health and metrics, once they are there. */
  async healthUrl(): Promise<string> {
    return await this.urlOf('port');
  }
}
