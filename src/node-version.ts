/** The Node release that package.json pins through `node-linux-*`; the major that every process needs. */
export const REQUIRED_NODE_MAJOR = 26;

/**
 * Returns nothing when `version` (as `process.version`, for example `v26.10.0`) is new enough.
 * Throws an Error that says how to start with the right Node otherwise.
 */
export function assertNodeVersion(version: string): void {
  const major = Number(/^v(\d+)\./.exec(version)?.[1]);
  if (!(major >= REQUIRED_NODE_MAJOR)) {
    throw new Error(
      `Infer needs Node ${REQUIRED_NODE_MAJOR} or newer and was started with ${version}. ` +
        'Run it through make: it installs the pinned Node as node_modules/.bin/node.',
    );
  }
}
