/**
 * What a gateway tells the batch process of the use that it counted: for one hour and one namespace of keys, all that it
 * has counted there since it began the part, so that a report may be sent again, and a later one takes its place.
 */
import { z } from 'zod';

/** Most rows of one report; a gateway begins another part for more. With long names this is some 150 KB. */
export const ROWS_PER_REPORT = 256;
/** Where the batch process takes reports. */
export const USAGE_PATH = '/internal/usage';
/** The code of the 400 for what is no report: it would be refused for ever. Other 400s say nothing of the report. */
export const NO_USAGE_REPORT = 'invalid_usage_report';

const count = z.int().nonnegative();
const name = z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/);
const namespace = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);

const row = z.object({
  /** Name of the APIKey. */
  key: name,
  /** Of the deployment. */
  namespace,
  deployment: name,
  requests: count,
  /** Those among them that ended in an error. */
  failedRequests: count,
  /** Those of which the first byte of an answer came. */
  answeredRequests: count,
  promptTokens: count,
  cachedTokens: count,
  completionTokens: count,
  /** Milliseconds to the first byte, over all that were answered. */
  firstTokenMs: count,
  /** Milliseconds to the end, over all. */
  latencyMs: count,
});

export const usagePart = z.object({
  /** Unix seconds at which the hour began. */
  hour: z.int().nonnegative().multipleOf(3600).max(253_402_297_200),
  /** Unique: no other gateway, and not the same one after it forgot this part, names another so. */
  part: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  /** Grows with each change. */
  revision: z.int().positive().max(9_999_999_999),
  rows: z.array(row).min(1).max(ROWS_PER_REPORT),
});

export const usageReport = usagePart.extend({
  /** Of the keys. */
  namespace,
  /** The revision that the gateway knows to be stored, which this one takes the place of. */
  replaces: z.int().positive().max(9_999_999_999).nullable(),
});

export type UsageRow = z.infer<typeof row>;
export type UsagePart = z.infer<typeof usagePart>;
export type UsageReport = z.infer<typeof usageReport>;
