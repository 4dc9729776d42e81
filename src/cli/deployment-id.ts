/** Pure: a readable id for a deployment of a model. */

/** Of an id, by the CRD. */
export const LONGEST_ID = 40;
/** By the CRD. */
export const ID_PATTERN = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

/**
 * Returns an id from the last part of a model's name, such as `llama-3-1-8b-instruct` for
 * `meta-llama/Llama-3.1-8B-Instruct`: at most 40 lower-case letters, digits and hyphens that begin with a letter.
 * Where `taken` holds it, a number from 2 on follows.
 */
export function deploymentId(model: string, taken: ReadonlySet<string>): string {
  const last = model.split('/').findLast((part) => part !== '') ?? '';
  const plain = last
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  // `01-ai/1b` begins with a digit, and a name of another script leaves nothing.
  const base = /^[a-z]/.test(plain) ? plain : plain === '' ? 'model' : `m-${plain}`;
  for (let number = 1; ; number++) {
    const suffix = number === 1 ? '' : `-${number}`;
    const id = `${shortened(base, LONGEST_ID - suffix.length)}${suffix}`;
    if (!taken.has(id)) return id;
  }
}

/** Cuts at a hyphen where one is near the end, so that no half word stays. */
function shortened(text: string, length: number): string {
  if (text.length <= length) return text;
  const cut = text.slice(0, length);
  const hyphen = cut.lastIndexOf('-');
  const end = text[length] !== '-' && hyphen > length / 2 ? hyphen : length;
  return cut.slice(0, end).replace(/-+$/, '');
}
