/** Pure: which Node runs infer. */

/** By undici and commander, which are in the bundle. */
export const OLDEST_NODE = '22.19.0';

/** Returns whether `version`, such as `20.11.1`, is older than what infer needs. */
export function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = OLDEST_NODE.split('.').map(Number);
  return major < neededMajor || (major === neededMajor && minor < neededMinor);
}
