/** Which screen an address shows: the part after `#`, so that every address is served by the same file. */

export type Route = { readonly screen: 'list' } | { readonly screen: 'detail'; readonly id: string };

const DETAIL = '#/deployments/';

/** Returns the screen of `location.hash`; what is no address of the page is the list. */
export function parseRoute(hash: string): Route {
  if (!hash.startsWith(DETAIL) || hash === DETAIL) return { screen: 'list' };
  try {
    return { screen: 'detail', id: decodeURIComponent(hash.slice(DETAIL.length)) };
  } catch {
    return { screen: 'list' };
  }
}

/** Returns the address of the deployment `id`. */
export function detailHref(id: string): string {
  return DETAIL + encodeURIComponent(id);
}

export const LIST_HREF = '#/';
