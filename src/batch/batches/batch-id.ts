const PREFIX = 'batch_';
/** The names that the definition of InferenceBatch allows. */
const NAME = /^[a-z0-9]([-a-z0-9]{0,46}[a-z0-9])?$/;

/** Returns the id by which clients know the resource of this name. */
export function batchIdOf(name: string): string {
  return PREFIX + name;
}

/** Returns the name of the resource; undefined for what is no id of a batch. */
export function batchNameOf(id: string): string | undefined {
  if (!id.startsWith(PREFIX)) return undefined;
  const name = id.slice(PREFIX.length);
  return NAME.test(name) ? name : undefined;
}
