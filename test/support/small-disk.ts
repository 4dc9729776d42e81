/**
 * Returns the command line that runs `command` with a disk of `bytes` at `folder`, which only that process sees and which
 * goes with it; the disk holds an empty folder of the name `inside`. Linux, as root or where users may have namespaces.
 */
export function onSmallDisk(folder: string, bytes: number, inside: string, command: readonly string[]): string[] {
  const script = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && mkdir "$2/$3" && shift 3 && exec "$@"';
  const asUser = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  return ['unshare', '--mount', ...asUser, 'sh', '-c', script, 'sh', String(bytes), folder, inside, ...command];
}
