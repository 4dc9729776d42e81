import type { ControlPlane } from '../cluster/control-plane.ts';

/** What global-setup.ts starts and global-teardown.ts stops, in the process of jest itself. */
export const sharedControlPlane: { running: ControlPlane | undefined } = { running: undefined };
