/** Text that comes from containers and nodes, made fit for status: it is hostile input. */
import type { ReplicaReason } from '../../api/conditions.ts';

/** Characters of a message in status, at most. */
export const MAX_MESSAGE_LENGTH = 300;

const SECRETS: readonly [RegExp, string][] = [
  [/\bhf_[A-Za-z0-9]{8,}/g, 'hf_***'],
  [/\binfer_[A-Za-z0-9_-]{16,}/g, 'infer_***'],
  [/\b(bearer)\s+[^\s"']+/gi, '$1 ***'],
  // Of signed URLs, and of any that carry a token.
  [/([?&][\w.-]*(?:sig|token|key|secret|passw|credential)[\w.-]*=)[^&\s"']+/gi, '$1***'],
  // Also a user without a password, which may be a token; up to the last @, since passwords hold some.
  [/(:\/\/)[^\s/]+@/g, '$1***@'],
];

/**
 * Returns `text` on one line of at most `maxLength` characters, without control characters and without anything like a
 * secret.
 */
export function hostileText(text: string, maxLength = MAX_MESSAGE_LENGTH): string {
  let clean = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  for (const [pattern, replacement] of SECRETS) clean = clean.replaceAll(pattern, replacement);
  return clean.length <= maxLength ? clean : `${clean.slice(0, maxLength - 1)}…`;
}

/** Returns `text` without the full stop at its end, to go on in a sentence. */
export function withoutFullStop(text: string): string {
  return text.replace(/[.\s]+$/, '');
}

/** Returns whether two messages differ in numbers and names with numbers at most: such parts change with every try. */
export function sameButForNumbers(a: string, b: string): boolean {
  return withoutNumbers(a) === withoutNumbers(b);
}

function withoutNumbers(text: string): string {
  return text.replaceAll(/[\w-]*\d[\w-]*(?:\.\d+)*/g, '#');
}

const DOWNLOAD_REASONS: ReadonlySet<string> = new Set<ReplicaReason>([
  'ModelNotFound',
  'ModelGated',
  'TokenInvalid',
  'HubUnreachable',
  'DiskFull',
]);

/**
 * Returns the reason and message that the download container left in its termination message (JSON, see
 * src/preflight); anything else counts as `DownloadFailed`.
 */
export function parseDownloadFailure(text: string | undefined): { reason: ReplicaReason; message: string } {
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (typeof value === 'object' && value !== null && 'reason' in value && 'message' in value) {
      const reason = value.reason === 'RevisionNotFound' ? 'ModelNotFound' : String(value.reason);
      return {
        reason: DOWNLOAD_REASONS.has(reason) ? (reason as ReplicaReason) : 'DownloadFailed',
        message: hostileText(String(value.message)),
      };
    }
  } catch {
    // Not JSON: the container was killed or crashed before it could say why.
  }
  return { reason: 'DownloadFailed', message: 'The download ended without saying why; it will be tried again.' };
}
