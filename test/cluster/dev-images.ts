/** The images in the manifests of the overlay `dev`: others in their place, and new content behind the same name. Pure. */
import { basename, dirname } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { UserError } from './user-error.ts';

/** What the overlay names, and the variable that names an image of the user's own instead. */
const VARIABLES = {
  'localhost/infer:dev': 'IMAGE',
  'localhost/vllm-sim:dev': 'VLLM_SIM_IMAGE',
  'localhost/hub-sim:dev': 'HUB_SIM_IMAGE',
};

interface Manifest {
  kind: string;
  spec?: {
    template?: {
      metadata?: { annotations?: Record<string, string> };
      spec?: { containers?: { image: string }[] };
    };
  };
}

/** Returns the user's image for each of the overlay's. Throws a UserError that says what to set where one is missing. */
export function imagesOf(environment: NodeJS.ProcessEnv): Map<string, string> {
  const missing = Object.values(VARIABLES).filter((variable) => (environment[variable] ?? '') === '');
  if (missing.length > 0) {
    throw new UserError(
      `CLUSTER=current: push the images that \`make image\` builds to a registry that your cluster pulls from, and set ${missing.join(', ')} to their names.`,
    );
  }
  return new Map(Object.entries(VARIABLES).map(([image, variable]) => [image, environment[variable] ?? '']));
}

/** Returns the manifests with other images wherever one is named: in containers, profiles and the environment. */
export function withImages(manifests: string, images: Map<string, string>): string {
  return [...images].reduce((text, [image, other]) => text.replaceAll(image, other), manifests);
}

/**
 * Returns the manifests with a mark of its archive (CONTENT-HASH/NAME.tar) on every Deployment of an image: the tag of an
 * image that was built anew is the same, and without a mark Kubernetes would go on running the old one.
 */
export function withArchives(manifests: string, archives: string[]): string {
  const hashes = new Map(
    archives.map((archive) => [`localhost/${basename(archive, '.tar')}:dev`, basename(dirname(archive))]),
  );
  const marked = parseAllDocuments(manifests).map((document) => {
    const manifest = document.toJS() as Manifest;
    const template = manifest.kind === 'Deployment' ? manifest.spec?.template : undefined;
    const image = template?.spec?.containers?.[0]?.image ?? '';
    const hash = hashes.get(image);
    if (template === undefined || hash === undefined) return manifest;
    template.metadata = {
      ...template.metadata,
      annotations: { ...template.metadata?.annotations, 'infer.dev/archive': hash },
    };
    return manifest;
  });
  return marked.map((manifest) => JSON.stringify(manifest)).join('\n---\n');
}
