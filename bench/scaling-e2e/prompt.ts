/** Prompts of a length that the simulated engine's tokenizer gives them, none with a beginning that another one has. */

/** Of a conversation with one message: the marks of its roles and their line ends. */
export const TEMPLATE_TOKENS = 6;

/** Returns the content of a message that makes a prompt of so many tokens; `number` is below 36 to the fourth. */
export function promptOf(number: number, promptTokens: number): string {
  // Four characters are one token, as is a short word with the blank before it.
  const first = number.toString(36).padStart(4, '0');
  return first + ' sea'.repeat(Math.max(0, promptTokens - TEMPLATE_TOKENS - 1));
}
