/** Loaded only where YAML is wanted. A package that is CommonJS has named exports for a static import alone. */
import { stringify } from 'yaml';

/** Returns `value` as YAML, with long lines as they are and no newline at its end. */
export function yamlText(value: unknown): string {
  return stringify(value, { lineWidth: 0 }).trimEnd();
}
