/** Pure: the session's cookie, and whether a request comes from the page that it was given to. */
import type { IncomingHttpHeaders } from 'node:http';

const NAME = 'infer_session';
/** A browser sends one; more are somebody's who tries. */
const MAX_COOKIES = 4;

/** Returns the values of the session's cookie in a Cookie header, at most MAX_COOKIES. */
export function readCookies(header: string | undefined): string[] {
  if (header === undefined) return [];
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${NAME}=`))
    .slice(0, MAX_COOKIES)
    .map((pair) => pair.slice(NAME.length + 1));
}

/**
 * Returns the Set-Cookie header for `value`, '' to remove it. Scripts cannot read it, and browsers send it with no request
 * of another site; over TLS, which a proxy in front ends and tells by X-Forwarded-Proto, never without.
 */
export function cookieHeader(value: string, maxAgeSeconds: number, headers: IncomingHttpHeaders): string {
  const proto = String(headers['x-forwarded-proto'] ?? '')
    .split(',', 1)[0]
    ?.trim();
  const secure = proto === 'https' ? '; Secure' : '';
  return `${NAME}=${value}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${maxAgeSeconds}${secure}`;
}

/**
 * Returns whether a request may be of our own page. `x-infer-page` alone shows it: a page of another origin may not send
 * a header of its own without asking first (CORS), which is never granted. Where the browser says more, that counts, too.
 */
export function isFromPage(headers: IncomingHttpHeaders): boolean {
  if (headers['x-infer-page'] !== '1') return false;
  // Browsers say it to origins with TLS and to localhost only.
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin } = headers;
  if (origin === undefined) return true;
  const host = URL.canParse(origin) ? new URL(origin).host : undefined;
  return [headers['x-forwarded-host'], headers.host].some(
    (own) => own !== undefined && String(own).toLowerCase() === host,
  );
}
