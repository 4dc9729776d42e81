import type { ByteRange } from '../../store/object-store.ts';

/**
 * Returns the part of `bytes` bytes that a Range header asks for (RFC 9110, 14.1.2); 'unsatisfiable' where it begins beyond
 * their end, and undefined for what may be ignored: another unit, several parts, or what is none.
 */
export function requestedRange(
  header: string | undefined,
  bytes: number,
): Required<ByteRange> | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const count = Math.min(Number(last), bytes);
    return count === 0 ? 'unsatisfiable' : { from: bytes - count, to: bytes - 1 };
  }
  const from = Number(first);
  if (last !== '' && Number(last) < from) return undefined;
  if (from >= bytes) return 'unsatisfiable';
  return { from, to: last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1) };
}
