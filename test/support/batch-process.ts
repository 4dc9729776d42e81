/** The batch process as a process of its own, as it runs in a cluster but for the channel: its API is plain HTTP. */
import { join, resolve } from 'node:path';
import { LoggedProcess } from './logged-process.ts';

const ENTRY = join(resolve(import.meta.dirname, '../..'), 'src/batch/main.ts');

export class BatchProcess extends LoggedProcess {
  /**
   * Starts one over this folder that finds the API server by this kubeconfig, from its sources or another `entry`, and
   * returns at once. Its ports are free ones.
   */
  static start(
    kubeconfig: string,
    folder: string,
    environment: Record<string, string> = {},
    entry = ENTRY,
  ): BatchProcess {
    return new BatchProcess(entry, {
      KUBECONFIG: kubeconfig,
      INFER_STORE_FOLDER: folder,
      INFER_BATCH_PORT: '0',
      INFER_PORT: '0',
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
