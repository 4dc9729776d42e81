import manifest from '../../package.json' with { type: 'json' };

/** The version of Infer that this was built from, without a `v`. */
export const VERSION: string = manifest.version;
