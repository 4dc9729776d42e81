/** /v1/files. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fileNotFound, rangeNotSatisfiable, unknownPlace } from '../errors.ts';
import type { Places } from '../places.ts';
import { listObject, oneOf, text, wholeNumber, type Query } from '../query.ts';
import { isFileId, type FileObject } from './file-object.ts';
import type { FileQuery, FileRepository } from './file-repository.ts';
import { attachment } from './filename.ts';
import { requestedRange } from './range.ts';
import { upload, type UploadParts } from './upload.ts';

const PAGE = { fallback: 10_000, from: 1, to: 10_000 };

export interface FileRouteParts extends UploadParts {
  readonly places: { readonly uploads: Places; readonly downloads: Places; readonly others: Places };
}

/** Adds the routes. */
export function addFileRoutes(app: FastifyInstance, parts: FileRouteParts): void {
  const { files, places } = parts;
  const { downloads, others } = places;
  addUpload(app, parts);
  app.get(
    '/v1/files',
    others.bounded((request) => list(files, request)),
  );
  app.get(
    '/v1/files/:id',
    others.bounded((request) => existing(files, request)),
  );
  app.get(
    '/v1/files/:id/content',
    downloads.bounded((request, reply) => sendContent(files, request, reply)),
  );
  app.delete(
    '/v1/files/:id',
    others.bounded((request) => remove(files, request)),
  );
}

function addUpload(app: FastifyInstance, parts: FileRouteParts): void {
  const receive = async ({ raw, headers, tenant }: FastifyRequest): Promise<FileObject> => {
    try {
      return await upload(parts, tenant.namespace, { headers, source: raw.iterator({ destroyOnReturn: false }) });
    } finally {
      // What is left of a form that was refused: clients read the answer when they have sent all.
      raw.resume();
    }
  };
  void app.register((form, _, done) => {
    form.removeAllContentTypeParsers();
    // Nothing is read before the handler does.
    form.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
    form.post('/v1/files', parts.places.uploads.bounded(receive));
    done();
  });
}

async function existing(files: FileRepository, { params, tenant }: FastifyRequest): Promise<FileObject> {
  const { id } = params as { id: string };
  const file = await files.find(tenant.namespace, id);
  if (file === undefined) throw fileNotFound(id);
  return file;
}

async function list(files: FileRepository, request: FastifyRequest) {
  const { namespace } = request.tenant;
  const query = fileQuery(request.query as Query);
  const { after } = query;
  // One that has expired between two pages is a place all the same.
  if (after !== undefined && !(isFileId(after) && (await files.read(namespace, after)))) throw unknownPlace(after);
  const page = await files.list(namespace, query);
  return listObject(page.files, page.hasMore);
}

async function sendContent(files: FileRepository, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { id, bytes, filename } = await existing(files, request);
  const range = requestedRange(request.headers.range, bytes);
  if (range === 'unsatisfiable') throw rangeNotSatisfiable(bytes);
  const content = await files.content(request.tenant.namespace, id, range);
  if (content === undefined) throw fileNotFound(id);
  if (range !== undefined) reply.code(206).header('content-range', `bytes ${range.from}-${range.to}/${bytes}`);
  return await reply
    .header('content-type', 'application/octet-stream')
    .header('content-length', range === undefined ? bytes : range.to - range.from + 1)
    .header('content-disposition', attachment(filename))
    .header('accept-ranges', 'bytes')
    .send(content);
}

async function remove(files: FileRepository, request: FastifyRequest) {
  const { id } = await existing(files, request);
  await files.remove(request.tenant.namespace, id);
  return { id, object: 'file', deleted: true };
}

function fileQuery(query: Query): FileQuery {
  return {
    order: oneOf(query, 'order', ['asc', 'desc'], 'desc'),
    limit: wholeNumber(query, 'limit', PAGE),
    after: text(query, 'after'),
    purpose: text(query, 'purpose'),
  };
}
