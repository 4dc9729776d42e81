import { DownloadFailure, TemporaryError } from './failure.ts';
import type { RepositoryKind } from './files.ts';

/** An answer as this module reads it; an absent header is ''. */
export interface Answer {
  readonly status: number;
  readonly header: (name: string) => string;
}

export interface Asked {
  /** Its id. */
  readonly model: string;
  readonly kind: RepositoryKind;
  readonly endpoint: URL;
  readonly withToken: boolean;
}

/**
 * What an answer other than success or a redirect means. The hub says it in the header X-Error-Code; without a token
 * it does not tell a private model from one that is not there (both 401).
 */
export function refusal(answer: Answer, url: URL, asked: Asked): DownloadFailure | TemporaryError {
  const { status } = answer;
  if (status === 408 || status === 429 || status >= 500) {
    return new TemporaryError(`${url.host} answered ${status}`, retryAfterMs(answer.header('retry-after'), Date.now()));
  }
  // An object store refuses a signed link that has expired; the next attempt gets a fresh one.
  if (url.origin !== asked.endpoint.origin) return new TemporaryError(`${url.host} answered ${status}`);
  return byErrorCode(answer.header('x-error-code'), url, asked) ?? byStatus(answer, url, asked);
}

function byErrorCode(code: string, url: URL, asked: Asked): DownloadFailure | undefined {
  const { model, kind, withToken } = asked;
  switch (code) {
    case 'GatedRepo': {
      const page = `${asked.endpoint.href.replace(/\/$/, '')}/${model}`;
      const message = withToken
        ? `The ${kind} ${model} is gated and this Hugging Face token has no access: ask for access at ${page} with its account.`
        : `The ${kind} ${model} is gated: accept its terms at ${page} and set spec.model.tokenSecretRef to a token of that account.`;
      return new DownloadFailure('ModelGated', message);
    }
    case 'RevisionNotFound':
      return new DownloadFailure(
        'RevisionNotFound',
        `The ${kind} ${model} has no such revision: set ${FIELDS[kind].revision} to a branch, tag or commit of it.`,
      );
    case 'RepoNotFound':
      return notFound(url, asked);
    default:
      return undefined;
  }
}

function byStatus(answer: Answer, url: URL, asked: Asked): DownloadFailure {
  const { model, kind, withToken } = asked;
  if (answer.status === 401 && withToken) {
    return new DownloadFailure(
      'TokenInvalid',
      `${url.host} does not accept the Hugging Face token: ` +
        'store a valid one in the Secret that spec.model.tokenSecretRef names.',
    );
  }
  if (answer.status === 403 && withToken) {
    return new DownloadFailure(
      'TokenInvalid',
      `The Hugging Face token may not read the ${kind} ${model}: ` +
        'give it read access to the contents of that repository.',
    );
  }
  if (answer.status === 401 || answer.status === 404) return notFound(url, asked);
  return new DownloadFailure('HubUnreachable', `${url.host} refused to serve ${model} with status ${answer.status}.`);
}

/** Where a user writes them. */
const FIELDS: Readonly<Record<RepositoryKind, { readonly id: string; readonly revision: string }>> = {
  model: { id: 'spec.model.id', revision: 'spec.model.revision' },
  adapter: { id: 'its id in spec.adapters', revision: 'its revision in spec.adapters' },
};

function notFound(url: URL, { model, kind, withToken }: Asked): DownloadFailure {
  const { id } = FIELDS[kind];
  const next = withToken
    ? `check ${id}, and that the account of the token may read it.`
    : `check ${id}, and for a private ${kind} set spec.model.tokenSecretRef to a token that may read it.`;
  return new DownloadFailure('ModelNotFound', `${url.host} shows no ${kind} ${model}: ${next}`);
}

/** Retry-After, in seconds or as a date, in milliseconds from `now`; undefined where it is neither. */
export function retryAfterMs(header: string, now: number): number | undefined {
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
