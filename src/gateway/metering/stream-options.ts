import { topLevelValue } from '../../process/top-level-value.ts';
import type { Body } from '../checks/body.ts';

/** What of the usage in a stream its client asked for: nothing, the last event with the whole, or a count in each event. */
export type ShownUsage = 'none' | 'final' | 'each';

const FORCED = { include_usage: true, continuous_usage_stats: true };
const OPEN = 0x7b;

/**
 * Returns the body of a stream's request with usage asked for in each event, and what its client had asked for; `body` is
 * what `bytes` say. All other bytes stay as they are. Options that are no object are the engine's to refuse.
 */
export function forceUsage(bytes: Buffer, body: Body): { bytes: Buffer; shown: ShownUsage } {
  if (!Object.hasOwn(body, 'stream_options')) {
    const rest = bytes.indexOf(OPEN) + 1;
    const field = Buffer.from(`"stream_options":${JSON.stringify(FORCED)},`);
    return { bytes: Buffer.concat([bytes.subarray(0, rest), field, bytes.subarray(rest)]), shown: 'none' };
  }
  const options = body['stream_options'] ?? {};
  if (typeof options !== 'object' || Array.isArray(options)) return { bytes, shown: 'none' };
  const text = bytes.toString('utf8');
  const span = topLevelValue(text, 'stream_options');
  if (span === undefined) return { bytes, shown: 'none' };
  // Written anew, so that no second field of the same name is left in it.
  const forced = JSON.stringify({ ...options, ...FORCED });
  return { bytes: Buffer.from(text.slice(0, span[0]) + forced + text.slice(span[1])), shown: shownBy(options) };
}

function shownBy(options: { include_usage?: unknown; continuous_usage_stats?: unknown }): ShownUsage {
  if (!isTrue(options.include_usage)) return 'none';
  return isTrue(options.continuous_usage_stats) ? 'each' : 'final';
}

/** What vLLM takes for true. */
function isTrue(value: unknown): boolean {
  return value === true || value === 1 || (typeof value === 'string' && /^(true|t|yes|y|on|1)$/i.test(value));
}
