import { DownloadFailure } from './failure.ts';

/** A LoRA adapter of a deployment, as its spec names it. */
export interface AdapterRequest {
  readonly name: string;
  /** `owner/name` on the hub. */
  readonly id: string;
  /** Branch, tag or commit; absent: main. */
  readonly revision?: string | undefined;
}

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
 * Reads the list of adapters to download as the operator writes it; empty for undefined and ''.
 * @throws DownloadFailure InvalidSettings
 */
export function parseAdapters(text: string | undefined): AdapterDownload[] {
  return listOf(text, isAdapter, '{"id", "revision", "directory"}');
}

/**
 * Reads the list of adapters to look up as the operator writes it; empty for undefined and ''.
 * @throws DownloadFailure InvalidSettings
 */
export function parseAdapterRequests(text: string | undefined): AdapterRequest[] {
  return listOf(text, isRequest, '{"name", "id", "revision"}');
}

function listOf<Entry>(text: string | undefined, isEntry: (value: unknown) => value is Entry, form: string): Entry[] {
  if (text === undefined || text === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (Array.isArray(value) && value.every(isEntry)) return value;
  throw new DownloadFailure('InvalidSettings', `INFER_ADAPTERS is no list of ${form}.`);
}

function isAdapter(value: unknown): value is AdapterDownload {
  const { id, revision, directory } = (value ?? {}) as Record<string, unknown>;
  return [id, revision, directory].every(isText);
}

function isRequest(value: unknown): value is AdapterRequest {
  const { name, id, revision } = (value ?? {}) as Record<string, unknown>;
  return [name, id, revision ?? 'main'].every(isText);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
