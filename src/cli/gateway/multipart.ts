/** A form with a file, as it is uploaded: streamed, so that a file of any size takes no memory. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';

export interface Form {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

/**
 * Returns the form of POST /files. `bytes` is the length of the content where it is known; `onBytes` is called with how
 * much of the content was taken so far.
 */
export function batchFileForm(file: {
  filename: string;
  content: AsyncIterable<Uint8Array>;
  bytes: number | undefined;
  onBytes: (bytes: number) => void;
}): Form {
  const boundary = `infer-${randomBytes(12).toString('hex')}`;
  // Fields first: the server may refuse them before it has read the file.
  const filename = file.filename.replaceAll(/["\\\r\n]/g, '_');
  const head = Buffer.from(
    `--${boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n` +
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${filename}"\r\n` +
      'content-type: application/jsonl\r\n\r\n',
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* parts(): AsyncGenerator<Uint8Array> {
    yield head;
    let taken = 0;
    for await (const chunk of file.content) {
      taken += chunk.length;
      file.onBytes(taken);
      yield chunk;
    }
    yield tail;
  }
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      ...(file.bytes !== undefined && { 'content-length': String(head.length + file.bytes + tail.length) }),
    },
    body: Readable.from(parts(), { objectMode: false }),
  };
}
