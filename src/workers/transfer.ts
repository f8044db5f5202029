/**
 * Giving buffers away: a result whose buffers are moved to the coordinator, not copied.
 */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { isOwn } from '../engine/archive/index.js';

/** Marks a result so that piscina moves these buffers with it. Each must be alone in its ArrayBuffer; one that Node.js has put into a shared one is copied. */
export function giving<T extends object>(result: T, ...buffers: (Uint8Array<ArrayBuffer> | null)[]): T {
  const given = buffers.flatMap((bytes) => (bytes !== null && isOwn(bytes.buffer) ? [bytes.buffer] : []));
  return move({ [transferableSymbol]: given, [valueSymbol]: result } as never) as unknown as T;
}
