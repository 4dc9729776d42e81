import { sharedControlPlane } from './shared-control-plane.ts';

/** Jest calls it once after the last file. */
export default async function globalTeardown(): Promise<void> {
  await sharedControlPlane.running?.stop();
}
