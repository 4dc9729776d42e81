import { refusedField } from '../errors.ts';

/** Content parts that carry tensors. */
const TENSORS = new Set(['image_embeds', 'audio_embeds', 'video_embeds']);

/**
 * Refuses content parts that would make the engine fetch an address (only `data:` URLs pass) or decode tensors.
 * @throws GatewayError 400 that names the part
 */
export function checkMessages(messages: unknown): void {
  if (!Array.isArray(messages)) return;
  for (const [index, message] of messages.entries()) {
    const content: unknown = (message as { content?: unknown } | null)?.content;
    if (!Array.isArray(content)) continue;
    for (const [position, part] of content.entries()) checkPart(part, `messages[${index}].content[${position}]`);
  }
}

function checkPart(part: unknown, where: string): void {
  if (typeof part !== 'object' || part === null) return;
  for (const [key, value] of Object.entries(part)) {
    if (value === null || value === undefined) continue;
    if (TENSORS.has(key)) throw refusedField(`${where}.${key}`, 'tensors are not accepted.');
    if (key.endsWith('_url') && !isDataUrl(value)) {
      throw refusedField(`${where}.${key}`, 'media must be sent inline, as a "data:" URL.');
    }
  }
}

function isDataUrl(value: unknown): boolean {
  const url: unknown = typeof value === 'object' && value !== null ? (value as { url?: unknown }).url : value;
  return typeof url === 'string' && /^data:/i.test(url);
}
