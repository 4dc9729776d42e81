/** Starts the control plane that all files of a tier share; each file makes namespaces of its own. */
import { startControlPlane } from '../cluster/control-plane.ts';
import { sharedControlPlane } from './shared-control-plane.ts';

/** Jest calls it once before the first file. The path of the kubeconfig reaches the files in the environment. */
export default async function globalSetup(): Promise<void> {
  const controlPlane = await startControlPlane({
    controllerManager: true,
    progress: (line) => process.stderr.write(`${line}\n`),
  });
  sharedControlPlane.running = controlPlane;
  process.env['INFER_TEST_KUBECONFIG'] = controlPlane.kubeconfig;
  process.env['INFER_TEST_KUBECTL'] = controlPlane.kubectl;
}
