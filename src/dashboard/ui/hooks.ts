import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { parseRoute, type Route } from '../data/route.ts';

/** Draws the component again when `subscribe` says that something changed. */
export function useChanges(subscribe: (listener: () => void) => () => void): void {
  const [, setCount] = useState(0);
  useLayoutEffect(() => subscribe(() => setCount((count) => count + 1)), [subscribe]);
}

/** Returns the screen that the address names. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const onChange = (): void => setHash(location.hash);
    globalThis.addEventListener('hashchange', onChange);
    return () => globalThis.removeEventListener('hashchange', onChange);
  }, []);
  return parseRoute(hash);
}

/** Returns the time in Unix seconds, anew every `seconds`. */
export function useNow(seconds: number): number {
  const [now, setNow] = useState(Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return now;
}

/** Returns whether the reader's system wants dark colours. */
export function useIsDark(): boolean {
  const [query] = useState(() => matchMedia('(prefers-color-scheme: dark)'));
  const [isDark, setIsDark] = useState(query.matches);
  useEffect(() => {
    const onChange = (): void => setIsDark(query.matches);
    query.addEventListener('change', onChange);
    return () => query.removeEventListener('change', onChange);
  }, [query]);
  return isDark;
}
