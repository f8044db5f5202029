/** Gzip members as docs/format.md describes them, each with any lie. */
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';

/** What a member says of itself; by default the truth. */
export interface Lies {
  /** What its LF subfield says: E, F or C. */
  kind?: string;
  /** What its GZ subfield says. */
  size?: number;
  crc?: number;
  /** What its trailer says of the size of the block. */
  isize?: number;
  /** In the place of the deflated block. */
  deflated?: Buffer;
}

/** A member that holds this block. */
export function member(block: Buffer, lies: Lies = {}): Buffer {
  const deflated = lies.deflated ?? deflateRawSync(block);
  const bytes = Buffer.alloc(25 + deflated.length + 8);
  bytes.set([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 13, 0]);
  bytes.write('GZ', 12, 'latin1');
  bytes.writeUInt16LE(4, 14);
  bytes.writeUInt32LE(lies.size ?? bytes.length, 16);
  bytes.write('LF', 20, 'latin1');
  bytes.writeUInt16LE(1, 22);
  bytes.write(lies.kind ?? 'E', 24, 'latin1');
  deflated.copy(bytes, 25);
  bytes.writeUInt32LE(lies.crc ?? crc32(block), bytes.length - 8);
  bytes.writeUInt32LE(lies.isize ?? block.length, bytes.length - 4);
  return bytes;
}

/** One gzip member without subfields, as `tar czf` makes it. */
export function plainGzip(tar: Buffer): Buffer {
  return gzipSync(tar, { level: 1 });
}
