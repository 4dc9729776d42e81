import type { UsagePart } from '../../channel/usage-report.ts';

/**
 * Returns the newest revision of each part: what stands in several objects, because a merge or a replacement was not
 * finished, is one.
 */
export function latestParts(parts: Iterable<UsagePart>): UsagePart[] {
  const latest = new Map<string, UsagePart>();
  for (const part of parts) {
    const known = latest.get(part.part);
    if (known === undefined || known.revision < part.revision) latest.set(part.part, part);
  }
  return [...latest.values()];
}
