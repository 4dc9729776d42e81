/**
 * An error whose message alone tells the reader what to do next: commands print it without a stack trace and exit 1.
 */
export class UserError extends Error {
  override name = 'UserError';
}
