/**
 * Reading members: finding them without inflating, and inflating one without believing it.
 */
import { readSync } from 'node:fs';
import { crc32, inflateRawSync, constants as zlib } from 'node:zlib';
import { SnapshotError } from '../errors.js';
import {
  type BlockKind,
  HEADER_BYTES,
  KIND_BYTE,
  MAX_BLOCK_BYTES,
  RECORD_BYTES,
  SEAL_AT,
  sealOf,
  TRAILER_BYTES,
  UNSEALED_HEADER_BYTES,
} from './member.js';
import { damaged } from './tar-reader.js';

/** Where a member is, and what it says of itself. Sizes are in bytes. */
export interface Member {
  offset: number;
  size: number;
  kind: BlockKind;
  /** Size of the block after inflating. */
  blockBytes: number;
}

/** A block that deflate makes nothing of takes 5 bytes more for each 65,535. */
export const MAX_MEMBER_BYTES = MAX_BLOCK_BYTES + (64 << 10);
/** More than half a TiB of blocks as they are written; the memory has to hold what is known of each. */
const MAX_MEMBERS = 1 << 19;

const KIND_OF = new Map(Object.entries(KIND_BYTE).map(([kind, byte]) => [byte, kind as BlockKind]));
const SMALLEST_MEMBER = UNSEALED_HEADER_BYTES + 2 + TRAILER_BYTES;

/**
 * Walks from member to member by their `GZ` subfields.
 *
 * @returns the members, which cover the file; null where the first one has no subfields of ours, or there are more than
 *   anybody needs, so that the archive has to be read as a stream
 * @throws ARCHIVE_TRUNCATED, ARCHIVE_DAMAGED
 */
export function indexMembers(fd: number, fileSize: number): Member[] | null {
  const members: Member[] = [];
  // A member's last four bytes, the size of its block, are read together with the header of the next one.
  const window = Buffer.alloc(4 + HEADER_BYTES);
  let offset = 0;
  for (;;) {
    const from = Math.max(0, offset - 4);
    const read = readSync(fd, window, 0, offset - from + HEADER_BYTES, from);
    const previous = members.at(-1);
    if (previous !== undefined) {
      if (read < 4) throw truncated(previous.offset);
      previous.blockBytes = window.readUInt32LE(0);
      checkBlockBytes(previous);
      if (offset === fileSize) return members;
    }
    const header = parseHeader(window.subarray(offset - from, read));
    if (header === null) {
      if (offset === 0) return null;
      if (fileSize - offset < UNSEALED_HEADER_BYTES) throw truncated(offset);
      throw damaged(`there is no member of it at byte ${offset}`);
    }
    if (header.size < SMALLEST_MEMBER || header.size > MAX_MEMBER_BYTES)
      throw damaged(`the member at byte ${offset} says it has ${header.size} bytes`);
    if (offset + header.size > fileSize) throw truncated(offset);
    if (members.length === MAX_MEMBERS) return null;
    members.push({ offset, size: header.size, kind: header.kind, blockBytes: 0 });
    offset += header.size;
  }
}

/** Reads a member's bytes. @param target at least `member.size` bytes; a new buffer is made where it is shorter */
export function readMember(fd: number, member: Member, target?: Buffer): Buffer {
  const bytes =
    target !== undefined && target.length >= member.size
      ? target.subarray(0, member.size)
      : Buffer.allocUnsafe(member.size);
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(fd, bytes, done, bytes.length - done, member.offset + done);
    if (read === 0) throw truncated(member.offset);
    done += read;
  }
  return bytes;
}

/**
 * Inflates a member, and checks that it is what its header and trailer say: its size, its end, its CRC.
 *
 * @throws ARCHIVE_DAMAGED
 */
export function inflateMember(bytes: Buffer, member: Member): Buffer {
  const where = `the member at byte ${member.offset}`;
  const header = parseHeader(bytes);
  if (header === null || header.size !== member.size) throw damaged(`${where} has no header of its own`);
  const deflated = bytes.subarray(header.bytes, bytes.length - TRAILER_BYTES);
  let inflated: { buffer: Buffer; engine: { bytesWritten: number } };
  try {
    inflated = inflateRawSync(deflated, {
      maxOutputLength: Math.max(member.blockBytes, 1),
      // One piece takes all; a piece that is just full would make zlib ask for another.
      chunkSize: member.blockBytes + 64,
      info: true,
    }) as never;
  } catch (cause) {
    throw damaged(`${where} cannot be inflated: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const { buffer: block, engine } = inflated;
  if (block.length !== member.blockBytes)
    throw damaged(`${where} holds ${block.length} bytes and says ${member.blockBytes}`);
  if (engine.bytesWritten !== deflated.length) throw damaged(`${where} ends before its data does`);
  if (crc32(block) !== bytes.readUInt32LE(bytes.length - TRAILER_BYTES)) throw damaged(`${where} has a wrong CRC`);
  if (block.length % RECORD_BYTES !== 0) throw damaged(`${where} does not hold whole records`);
  return block;
}

/** The beginning of a member's block, as far as the first `bytes` of the member tell; unchecked. */
export function peekBlock(fd: number, member: Member, bytes: number): Buffer {
  const prefix = Buffer.alloc(Math.min(bytes, member.size));
  const read = readSync(fd, prefix, 0, prefix.length, member.offset);
  const deflated = prefix.subarray(
    parseHeader(prefix)?.bytes ?? HEADER_BYTES,
    Math.min(read, member.size - TRAILER_BYTES),
  );
  try {
    return inflateRawSync(deflated, { finishFlush: zlib.Z_SYNC_FLUSH, maxOutputLength: MAX_BLOCK_BYTES });
  } catch (cause) {
    throw damaged(
      `the member at byte ${member.offset} cannot be inflated: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}

/**
 * Checks that a member is to the last bit what its writer wrote. Inflating does not tell: a few bits can change without anything coming out differently.
 *
 * @throws ARCHIVE_DAMAGED
 */
export function checkSeal(bytes: Buffer, member: Member): void {
  const seal = parseHeader(bytes)?.seal;
  // Without a seal, at least the fields that mean nothing have to be as they always are.
  if (typeof seal === 'number' ? sealOf(bytes) === seal : bytes.subarray(4, 10).equals(CONSTANT_FIELDS)) return;
  throw damaged(`the member at byte ${member.offset} is not as it was written`);
}

/** No time, no flags, unknown system. */
const CONSTANT_FIELDS = Buffer.from([0, 0, 0, 0, 0, 0xff]);

/** What a member's header says. */
export interface MemberHeader {
  /** Of the whole member. */
  size: number;
  kind: BlockKind;
  /** Size of the header itself. */
  bytes: number;
  /** Null where it has none. */
  seal: number | null;
}

/** Reads the header that the first bytes of a member are; null where they are none of ours. */
export function parseHeader(header: Buffer): MemberHeader | null {
  if (header.length < UNSEALED_HEADER_BYTES) return null;
  const bytes = 12 + header.readUInt16LE(10);
  const sealed = bytes === HEADER_BYTES && header.length >= HEADER_BYTES;
  const ours =
    header.readUInt32BE(0) === 0x1f8b0804 &&
    header.toString('latin1', 12, 14) === 'GZ' &&
    header.readUInt16LE(14) === 4 &&
    header.toString('latin1', 20, 22) === 'LF' &&
    header.readUInt16LE(22) === 1 &&
    (sealed
      ? header.toString('latin1', 25, 27) === 'LC' && header.readUInt16LE(27) === 4
      : bytes === UNSEALED_HEADER_BYTES);
  const kind = KIND_OF.get(header[24] as number);
  if (!ours || kind === undefined) return null;
  return { size: header.readUInt32LE(16), kind, bytes, seal: sealed ? header.readUInt32LE(SEAL_AT) : null };
}

/** Refuses a member that claims to hold more than a block. @throws ARCHIVE_DAMAGED */
export function checkBlockBytes({ blockBytes, offset }: Member): void {
  if (blockBytes <= MAX_BLOCK_BYTES) return;
  throw damaged(`the member at byte ${offset} says it inflates to ${blockBytes} bytes, more than a block may hold`);
}

/** The error of an archive that stops too early. */
export function truncated(offset?: number): SnapshotError {
  const where = offset === undefined ? '' : `, in the member at byte ${offset}`;
  return new SnapshotError('ARCHIVE_TRUNCATED', `the archive is cut off${where}`, {
    hint: 'the copy is incomplete: transfer it again, or take another backup; nothing was changed',
  });
}
