/** Pure: the addresses of a gateway. */

/** Of manifests/base/gateway.yaml. */
export const SERVICE = 'infer-gateway';

/** What a base URL of the API ends in; each serves the same. */
const BASES = ['/v1', '/api/v2/external'];

/**
 * Returns the base URL that clients take, without a slash at the end, for the URL of a gateway with or without its base;
 * undefined for what is no URL of HTTP.
 */
export function baseUrlOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, origin, pathname } = new URL(text);
  if (protocol !== 'http:' && protocol !== 'https:') return undefined;
  const path = pathname.replace(/\/+$/, '');
  return origin + (BASES.some((base) => path.endsWith(base)) ? path : `${path}/v1`);
}

/** Returns the URL of the web page, or of one deployment on it. */
export function pageUrlOf(baseUrl: string, id?: string): string {
  const page = baseUrl.replace(/\/(api\/v2\/external(\/v1)?|v1)$/, '/');
  return id === undefined ? page : `${page}#/${id.split('/').map(encodeURIComponent).join('/')}`;
}

/** True for a name that only pods resolve, such as `infer-gateway` and `infer-gateway.infer-system`. */
export function isInsideCluster(url: string, systemNamespace: string): boolean {
  const { hostname } = new URL(url);
  if (hostname === 'localhost' || hostname.includes(':')) return false;
  const isShort = !hostname.includes('.') || hostname === `${SERVICE}.${systemNamespace}`;
  return isShort || hostname.endsWith('.svc') || hostname.endsWith('.cluster.local');
}

/** True where what is sent stays on this machine. */
export function isLoopback(url: string): boolean {
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(url).hostname);
}
