/** What a form with a file must say beside it. */
import {
  integerOutside,
  missingParameter,
  notJsonLines,
  purposeNotKept,
  unsupportedValue,
  wrongType,
} from '../errors.ts';
import { DEFAULT_LIFETIME_SECONDS, LIFETIME_SECONDS } from './file-object.ts';
import type { Fields } from './multipart.ts';

const ANCHOR = 'expires_after[anchor]';
const SECONDS = 'expires_after[seconds]';

/** Returns for how long the file is kept, in seconds. Throws GatewayError for fields that are missing or wrong. */
export function checkUploadFields(fields: Fields, filename: string): number {
  checkPurpose(fields);
  if (!filename.toLowerCase().endsWith('.jsonl')) throw notJsonLines();
  return lifetimeSeconds(fields);
}

/**
 * Throws GatewayError where the purpose is not `batch`. OpenAI's other purposes belong to products that Infer does not have;
 * files of those would lie in the store for ever, read by nobody.
 */
function checkPurpose(fields: Fields): void {
  const purpose = fields.get('purpose');
  if (purpose === undefined) throw missingParameter('purpose');
  if (purpose !== 'batch') throw purposeNotKept(purpose);
}

function lifetimeSeconds(fields: Fields): number {
  const [anchor, seconds] = [fields.get(ANCHOR), fields.get(SECONDS)];
  if (anchor === undefined && seconds === undefined) return DEFAULT_LIFETIME_SECONDS;
  if (anchor === undefined) throw missingParameter(ANCHOR);
  if (seconds === undefined) throw missingParameter(SECONDS);
  if (anchor !== 'created_at') throw unsupportedValue(ANCHOR, anchor, ['created_at']);
  if (!/^-?\d{1,15}$/.test(seconds)) throw wrongType(SECONDS, 'an integer', 'a string');
  const value = Number(seconds);
  const { least, most } = LIFETIME_SECONDS;
  if (value < least || value > most) throw integerOutside(SECONDS, value, { from: least, to: most });
  return value;
}
