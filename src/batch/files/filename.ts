/** Names of files: whatever a client calls one, it becomes neither a path nor a header line. */

const MAX_CHARACTERS = 255;
/** Control characters, and those that turn the direction of the text around them. */
const UNSAFE = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Returns the last part of the path, without unsafe characters, of at most 255 characters; its ending is kept. */
export function safeFilename(name: string): string {
  const last = name.replace(UNSAFE, '').split(/[/\\]/).at(-1)?.trim() ?? '';
  const characters = Array.from(last);
  if (characters.length <= MAX_CHARACTERS) return last;
  const ending = /\.[A-Za-z0-9]{1,16}$/.exec(last)?.[0] ?? '';
  return characters.slice(0, MAX_CHARACTERS - ending.length).join('') + ending;
}

/** Returns the Content-Disposition header of a download (RFC 6266), with the name in ASCII for old clients too. */
export function attachment(filename: string): string {
  const ascii = filename.replace(/[^ -~]|["\\%]/gu, '_');
  // encodeURIComponent leaves some signs that RFC 5987 does not.
  const encoded = encodeURIComponent(filename).replace(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
