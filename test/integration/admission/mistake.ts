/** A manifest with one mistake, and what the API server must answer. */
export interface Mistake {
  /** What the user got wrong. */
  sentence: string;
  /** Laid over a valid spec of the kind; undefined removes a field. */
  spec: Record<string, unknown>;
  /** Part of the answer: the field, and the beginning of the words that say what to write. */
  answer: string;
}
