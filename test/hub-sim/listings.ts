import type { Repository, RepositoryFile, Revision } from './repositories.ts';

const DATE = '2026-01-15T12:00:00.000Z';
const BF16_BYTES = 2;

/** The body of GET /api/models/ID: what the hub says of a model at a revision. `blobs` adds sizes and digests. */
export function modelInfo(repository: Repository, revision: Revision, blobs: boolean) {
  const weights = revision.files.filter(({ path }) => path.endsWith('.safetensors'));
  const parameters = Math.floor(bytes(weights) / BF16_BYTES);
  return {
    _id: revision.commit.slice(0, 24),
    id: repository.id,
    modelId: repository.id,
    author: repository.id.split('/')[0],
    sha: revision.commit,
    lastModified: DATE,
    createdAt: DATE,
    private: repository.private,
    gated: repository.gated,
    disabled: false,
    downloads: 0,
    likes: 0,
    library_name: 'transformers',
    pipeline_tag: 'text-generation',
    tags: ['transformers', 'safetensors', `license:${repository.license}`],
    cardData: { license: repository.license },
    config: { architectures: repository.architectures, model_type: 'llama' },
    ...(weights.length > 0 ? { safetensors: { parameters: { BF16: parameters }, total: parameters } } : {}),
    siblings: revision.files.map((file) => ({
      rfilename: file.path,
      ...(blobs ? { blobId: file.oid, size: file.content.length, ...(file.lfs && { lfs: lfsSibling(file) }) } : {}),
    })),
    spaces: [],
    usedStorage: bytes(revision.files),
  };
}

function lfsSibling(file: RepositoryFile) {
  return { sha256: file.lfs?.oid, size: file.content.length, pointerSize: file.lfs?.pointerSize };
}

function bytes(files: readonly RepositoryFile[]): number {
  return files.reduce((sum, { content }) => sum + content.length, 0);
}

/** One page of a file list, and the path of the next one. */
export function treePage(revision: Revision, url: URL, pageSize: number) {
  const recursive = url.searchParams.get('recursive') === 'true';
  const all = treeEntries(revision).filter(({ path }) => recursive || !path.includes('/'));
  const start = Number(url.searchParams.get('cursor') ?? 0);
  const size = Math.min(pageSize, Number(url.searchParams.get('limit') ?? pageSize));
  const entries = all.slice(start, start + size);
  if (start + size >= all.length) return { entries, next: undefined };
  const query = new URLSearchParams(url.searchParams);
  query.set('cursor', String(start + size));
  return { entries, next: `${url.pathname}?${query.toString()}` };
}

function treeEntries(revision: Revision) {
  const directories = new Set(
    revision.files.flatMap(({ path }) => {
      const parts = path.split('/').slice(0, -1);
      return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    }),
  );
  return [
    ...[...directories].map((path) => ({ type: 'directory', oid: revision.commit, size: 0, path })),
    ...revision.files.map((file) => ({
      type: 'file',
      oid: file.oid,
      size: file.size ?? file.content.length,
      path: file.path,
      ...(file.lfs === undefined
        ? {}
        : { lfs: { oid: file.lfs.oid, size: file.size ?? file.content.length, pointerSize: file.lfs.pointerSize } }),
    })),
  ];
}
