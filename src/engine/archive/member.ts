/**
 * Gzip members: what an archive is made of on the outside.
 *
 * A member (RFC 1952) holds one *block*, a whole number of 512-byte tar records. Three FEXTRA subfields make it more than a piece of a stream:
 * `GZ`, the member's total size, lets a reader walk from member to member without inflating; `LF`, what the block starts with, lets it
 * read one alone; `LC`, the seal, is a checksum of the member as it stands in the file, since the trailer's covers only what comes of inflating it
 * (docs/decisions/0015). Readers that know none of them see an ordinary .gz file.
 */
import { crc32, deflateRawSync } from 'node:zlib';
import { release } from './release.js';

/** What a block starts with. */
export type BlockKind =
  /** whole entries, or the end-of-archive marker */
  | 'entries'
  /** the header of a file that continues in the next blocks */
  | 'first'
  /** more content of the file that an earlier block began */
  | 'continuation';

/** The byte that stands for a kind in the `LF` subfield. */
export const KIND_BYTE: Record<BlockKind, number> = { entries: 0x45, first: 0x46, continuation: 0x43 };

/** Most bytes of entries that are grouped into one block, and of a file's content in one segment. */
export const BLOCK_BYTES = 1 << 20;

/** No writer makes larger blocks (docs/format.md); a member that claims one is a bomb. */
export const MAX_BLOCK_BYTES = 8 << 20;

/** Size of a tar record: everything in a tar archive is a multiple of it. */
export const RECORD_BYTES = 512;

/** `bytes` rounded up to whole records. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / RECORD_BYTES) * RECORD_BYTES;
}

/** 10 bytes of gzip header, XLEN, `GZ` with a u32, `LF` with one byte, and with the seal `LC` with a u32. */
export const UNSEALED_HEADER_BYTES = 10 + 2 + 8 + 5;
export const HEADER_BYTES = UNSEALED_HEADER_BYTES + 8;
export const TRAILER_BYTES = 8;

/** Where the value of the seal stands in a member. */
export const SEAL_AT = HEADER_BYTES - 4;
const NO_SEAL = Buffer.alloc(4);

/** Whether a block is worth deflating is told by this much of it, taken in even steps. */
const SAMPLES = 8;
const SAMPLE_BYTES = 4096;
/** A block whose sample does not get smaller than this share of itself is stored. */
const STORE_ABOVE = 0.97;

/**
 * Output of deflate is collected in pieces of this size: one takes it all. V8 looks for dead buffers by what they could hold, so large ones that are
 * filled by a third hold less memory until then than small ones that are full (docs/decisions/0007).
 */
const CHUNK_BYTES = BLOCK_BYTES + (64 << 10);
/** Most bytes of a stored deflate block (RFC 1951, 3.2.4), and what stands before each. */
const STORED_BYTES = 0xffff;
const STORED_HEADER_BYTES = 5;

/**
 * Compresses a block into a gzip member.
 *
 * @param block whole tar records, at most {@link MAX_BLOCK_BYTES}
 * @param level deflate level, 1 to 9
 * @param target where the member goes, if it fits; otherwise a new buffer is made
 * @returns the member, alone in its ArrayBuffer, so that it can be transferred to another thread
 */
export function compressMember(
  block: Uint8Array,
  kind: BlockKind,
  level: number,
  target?: ArrayBuffer,
): Uint8Array<ArrayBuffer> {
  if (block.length > MAX_BLOCK_BYTES) throw new Error(`a block of ${block.length} bytes: no reader would take it`);
  const deflated = isIncompressible(block)
    ? null
    : deflateRawSync(block, { level, memLevel: 9, chunkSize: CHUNK_BYTES });
  const size = HEADER_BYTES + (deflated?.length ?? storedSize(block)) + TRAILER_BYTES;
  const member =
    target !== undefined && size <= target.byteLength ? Buffer.from(target, 0, size) : Buffer.allocUnsafeSlow(size);
  // magic, deflate, FEXTRA; no mtime (the same input gives the same bytes), XFL 0, unknown OS
  member.set([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff]);
  member.writeUInt16LE(HEADER_BYTES - 12, 10);
  member.write('GZ', 12, 'latin1');
  member.writeUInt16LE(4, 14);
  member.writeUInt32LE(size, 16);
  member.write('LF', 20, 'latin1');
  member.writeUInt16LE(1, 22);
  member.writeUInt8(KIND_BYTE[kind], 24);
  member.write('LC', 25, 'latin1');
  member.writeUInt16LE(4, 27);
  if (deflated === null) store(block, member, HEADER_BYTES);
  else {
    member.set(deflated, HEADER_BYTES);
    release(deflated);
  }
  member.writeUInt32LE(crc32(block), size - 8);
  member.writeUInt32LE(block.length, size - 4);
  member.writeUInt32LE(sealOf(member), SEAL_AT);
  return member as Uint8Array<ArrayBuffer>;
}

/** The CRC-32 of a whole member with a seal, whose own four bytes are taken as zeros. */
export function sealOf(member: Uint8Array): number {
  return crc32(member.subarray(HEADER_BYTES), crc32(NO_SEAL, crc32(member.subarray(0, SEAL_AT))));
}

function storedSize(block: Uint8Array): number {
  return block.length + STORED_HEADER_BYTES * Math.max(1, Math.ceil(block.length / STORED_BYTES));
}

/** Writes a block as stored deflate blocks: one copy, where zlib at level 0 takes three. */
function store(block: Uint8Array, target: Buffer, offset: number): void {
  let at = offset;
  for (let from = 0; from === 0 || from < block.length; from += STORED_BYTES) {
    const part = block.subarray(from, from + STORED_BYTES);
    target.writeUInt8(from + STORED_BYTES >= block.length ? 1 : 0, at);
    target.writeUInt16LE(part.length, at + 1);
    target.writeUInt16LE(part.length ^ 0xffff, at + 3);
    target.set(part, at + STORED_HEADER_BYTES);
    at += STORED_HEADER_BYTES + part.length;
  }
}

/** Whether a cheap trial on a sample says that deflating would gain next to nothing (parquet, images, archives). */
function isIncompressible(block: Uint8Array): boolean {
  let sample = block;
  if (block.length > 2 * SAMPLES * SAMPLE_BYTES) {
    const step = Math.floor((block.length - SAMPLE_BYTES) / (SAMPLES - 1));
    const pieces = Array.from({ length: SAMPLES }, (_, i) => block.subarray(i * step, i * step + SAMPLE_BYTES));
    sample = Buffer.concat(pieces);
  }
  return deflateRawSync(sample, { level: 1 }).length > sample.length * STORE_ABOVE;
}
