import { topLevelValue } from '../../process/top-level-value.ts';

/** Returns the body with another model; all other bytes stay as they are. */
export function withModel(bytes: Buffer, model: string): Buffer {
  const text = bytes.toString('utf8');
  const span = topLevelValue(text, 'model');
  if (span === undefined) return bytes;
  return Buffer.from(`${text.slice(0, span[0])}${JSON.stringify(model)}${text.slice(span[1])}`);
}

/** Changes the engine's name of the model into the client's in answers; undefined where they are equal. */
export type ModelRenamer = (bytes: Buffer) => Buffer;

/**
 * Returns a renamer that replaces `"model":"FROM"` wherever it stands. No text of an answer can be hit: inside a JSON
 * string its quotes would be escaped.
 */
export function modelRenamer(from: string, to: string): ModelRenamer | undefined {
  if (from === to) return undefined;
  const patterns = ['"model":', '"model": '].map((key) => ({
    search: Buffer.from(key + JSON.stringify(from)),
    replacement: Buffer.from(key + JSON.stringify(to)),
  }));
  return (bytes) => {
    for (const { search, replacement } of patterns) {
      if (bytes.includes(search)) return replaceAll(bytes, search, replacement);
    }
    return bytes;
  };
}

function replaceAll(bytes: Buffer, search: Buffer, replacement: Buffer): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (let hit = bytes.indexOf(search); hit !== -1; hit = bytes.indexOf(search, from)) {
    parts.push(bytes.subarray(from, hit), replacement);
    from = hit + search.length;
  }
  parts.push(bytes.subarray(from));
  return Buffer.concat(parts);
}
