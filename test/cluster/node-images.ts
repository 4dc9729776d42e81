import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { run } from './command.ts';
import { containerdSocket } from './node.ts';
import type { LocalNode } from './state.ts';
import { waitFor } from './wait.ts';

/** The label on an image that names the archive it came from by its SHA-256. */
const ARCHIVE_LABEL = 'infer.dev/archive';

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** The image names in a docker-archive. */
async function imageNames(archive: string): Promise<string[]> {
  const manifest = JSON.parse(await run('tar', ['-xOf', archive, 'manifest.json'])) as { RepoTags?: string[] }[];
  return manifest.flatMap(({ RepoTags }) => RepoTags ?? []);
}

/**
 * Gives the node the images of a docker-archive unless it has them with this very content, and returns when kubelet
 * can use them. Returns true when they were loaded. Throws when the archive cannot be read or imported.
 */
export async function loadArchive(node: LocalNode, archive: string): Promise<boolean> {
  const ctr = async (...args: string[]): Promise<string> =>
    await run('ctr', [`--address=${containerdSocket(node)}`, '--namespace=k8s.io', 'images', ...args], {
      endWithParent: true,
    });
  const label = `${ARCHIVE_LABEL}=${await sha256(archive)}`;
  const names = await imageNames(archive);
  const lines = async (): Promise<string[]> => {
    const all = (await ctr('list')).split('\n');
    return all.filter((line) => names.includes(line.split(/\s/)[0] ?? ''));
  };
  const complete = (await lines()).filter((line) => line.includes(label));
  if (names.length > 0 && complete.length === names.length) return false;
  await ctr('import', archive);
  for (const name of names) await ctr('label', name, label);
  // containerd's CRI part, which serves kubelet, marks an image once it has noticed it.
  await waitFor(
    `containerd of ${node.name} noticing ${names.join(' ')}`,
    async () => (await lines()).every((line) => line.includes('io.cri-containerd.image=managed')) || undefined,
  );
  return true;
}
