/** What is read for one answer is bounded, and this would be more. */
export class TooMuchUsage extends Error {
  override readonly name = 'TooMuchUsage';
}
