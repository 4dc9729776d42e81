import { DownloadFailure } from './failure.ts';

/** A LoRA adapter to download beside a model. */
export interface AdapterDownload {
  /** `owner/name` on the hub. */
  readonly id: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Where its files go, an absolute path. */
  readonly directory: string;
}

/**
 * Reads the list of adapters as the operator writes it; empty for undefined and ''.
 * @throws DownloadFailure InvalidSettings
 */
export function parseAdapters(text: string | undefined): AdapterDownload[] {
  if (text === undefined || text === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (Array.isArray(value) && value.every(isAdapter)) return value;
  throw new DownloadFailure('InvalidSettings', 'INFER_ADAPTERS is no list of {"id", "revision", "directory"}.');
}

function isAdapter(value: unknown): value is AdapterDownload {
  const { id, revision, directory } = (value ?? {}) as Record<string, unknown>;
  return [id, revision, directory].every((text) => typeof text === 'string' && text !== '');
}
