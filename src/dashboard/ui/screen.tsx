import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** Whether the reader came from another screen; the first one leaves the focus where the browser has it. */
let isNavigation = false;

/** Says that the next screen comes from another one that is none of these. */
export function expectScreen(): void {
  isNavigation = true;
}

interface ScreenProps {
  title: string;
  /** Figures are as they were when the connection was lost. */
  isStale: boolean;
  heading: ComponentChildren;
  children: ComponentChildren;
}

/** A screen with its heading, which takes the focus when one comes from another screen. */
export function Screen({ title, isStale, heading, children }: ScreenProps) {
  const top = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} – Infer`;
  }, [title]);
  useEffect(() => {
    if (isNavigation) {
      top.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    isNavigation = true;
  }, []);
  return (
    <main class={isStale ? 'screen stale' : 'screen'}>
      <h1 ref={top} tabIndex={-1}>
        {heading}
      </h1>
      {children}
    </main>
  );
}
