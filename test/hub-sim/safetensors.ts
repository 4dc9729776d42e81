import { createHash } from 'node:crypto';

export interface Tensor {
  readonly name: string;
  readonly dtype: 'BF16' | 'F32';
  readonly shape: readonly number[];
}

const BYTES = { BF16: 2, F32: 4 };

/**
 * A safetensors file with these tensors and pseudo-random values: eight bytes with the length of the header, the
 * header as JSON with the offsets of each tensor, the values.
 */
export function safetensors(tensors: readonly Tensor[]): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const values: Buffer[] = [];
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    const size = shape.reduce((product, length) => product * length, BYTES[dtype]);
    header[name] = { dtype, shape, data_offsets: [offset, offset + size] };
    values.push(noise(name, size));
    offset += size;
  }
  // The values begin at a multiple of eight; the format pads the header with blanks.
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...values]);
}

/** Bytes that depend on the seed alone and do not compress: a row of SHA-512 digests. */
function noise(seed: string, size: number): Buffer {
  const out = Buffer.alloc(size);
  let block = createHash('sha512').update(seed).digest();
  for (let at = 0; at < size; at += block.length) {
    block.copy(out, at);
    block = createHash('sha512').update(block).digest();
  }
  return out;
}
