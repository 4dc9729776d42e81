import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { S3Client } from '@aws-sdk/client-s3';
import { upload } from './s3-upload.ts';

const SIZE = 9 * 1024 * 1024;

/** A server that forgets an upload with its completion, as some do; the first answer to that is lost. */
class ForgetfulServer {
  /** The metadata of the object that stands there. */
  mark: string | undefined;
  completed = 0;
  /** Whether what the lost answer would have said is that the object is there now. */
  completes = true;
  #given: string | undefined;

  answer(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '' } = request;
    request.resume();
    request.on('end', () => {
      if (method === 'HEAD') response.setHeader('x-amz-meta-infer-upload', this.mark ?? 'another').end();
      else if (method === 'PUT') response.setHeader('etag', '"part"').end();
      else if (method === 'DELETE') response.writeHead(204).end();
      else if (url.includes('uploads')) {
        this.#given = String(request.headers['x-amz-meta-infer-upload']);
        response.end('<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>');
      } else this.#complete(request, response);
    });
  }

  #complete(request: IncomingMessage, response: ServerResponse): void {
    this.completed += 1;
    if (this.completed === 1) {
      if (this.completes) this.mark = this.#given;
      request.socket.destroy();
    } else response.writeHead(404).end('<Error><Code>NoSuchUpload</Code></Error>');
  }
}

let forgetful: ForgetfulServer;
let server: Server;
let client: S3Client;

beforeEach(async () => {
  forgetful = new ForgetfulServer();
  server = createServer((request, response) => forgetful.answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new S3Client({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  });
});

afterEach(() => {
  client.destroy();
  server.close();
});

const put = async (): Promise<number> =>
  await upload(Buffer.alloc(SIZE), {
    client,
    place: { Bucket: 'files', Key: 'a/b' },
    maxBytes: undefined,
    signal: undefined,
    reached: async (request) => await request,
  });

test('an upload that is unknown after its end was asked for twice is done where its object is there', async () => {
  expect(await put()).toBe(SIZE);
  expect(forgetful.completed).toBe(2);
});

test('and failed where another object is there', async () => {
  forgetful.completes = false;
  await expect(put()).rejects.toMatchObject({ name: 'NoSuchUpload' });
});
