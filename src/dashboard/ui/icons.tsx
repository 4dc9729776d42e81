import type { Tone } from '../data/state.ts';

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 16 16" aria-hidden="true">
      <rect width="16" height="16" rx="4" class="logo-ground" />
      <path d="M4 11V8m4 3V4m4 7V6" class="logo-bars" />
    </svg>
  );
}

/** One shape for each tone: colour alone tells nobody anything. */
const SHAPES: Readonly<Record<Tone, string>> = {
  good: 'M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1Z',
  working: 'M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1Zm0 1.6v6.8a3.4 3.4 0 0 0 0-6.8Z',
  warning: 'M6 .8 11.6 11H.4Z',
  bad: 'M2.4 1 6 4.6 9.6 1 11 2.4 7.4 6 11 9.6 9.6 11 6 7.4 2.4 11 1 9.6 4.6 6 1 2.4Z',
  off: 'M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1Zm0 1.6a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8Z',
};

/** A word with its shape. */
export function Badge({ word, tone }: { word: string; tone: Tone }) {
  return (
    <span class={`badge tone-${tone}`}>
      <svg viewBox="0 0 12 12" aria-hidden="true">
        <path d={SHAPES[tone]} fill-rule="evenodd" />
      </svg>
      {word}
    </span>
  );
}
