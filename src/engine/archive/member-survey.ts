/**
 * Walking an archive that is damaged: from member to member as far as that goes, and on behind what breaks the walk.
 *
 *     a header is damaged:    what was deflated tells where it ends, and its CRC that it has
 *     more than the header:   what comes next is looked for by its bytes
 *
 * An archive that was backed up as a file holds just such bytes. Deflate leaves them as they are only in a stored block, of which none is longer than 64 KiB;
 * so a place is believed if the walk from there gets farther than that, or to the end of the file.
 */
import { readSync } from 'node:fs';
import { crc32, inflateRawSync } from 'node:zlib';
import { systemErrorCode } from '../errors.js';
import { nextTurn } from '../next-turn.js';
import { BLOCK_BYTES, HEADER_BYTES, MAX_BLOCK_BYTES, TRAILER_BYTES, UNSEALED_HEADER_BYTES } from './member.js';
import { MAX_MEMBER_BYTES, type Member, parseHeader, readMember } from './member-reader.js';

/** A piece of the file, in its order. */
export type Piece =
  | { type: 'member'; member: Member }
  /** No member can be told from `from` up to `to`; both are offsets in bytes. */
  | { type: 'gap'; from: number; to: number };

const MAGIC = Buffer.from([0x1f, 0x8b, 0x08, 0x04]);
const WINDOW_BYTES = 4 << 20;
/** Most bytes of a stored block of deflate (RFC 1951, 3.2.4). */
const STORED_BYTES = 0xffff;
/** In a window, members of as many bytes at most are inflated to see whether they are some. */
const TRIED_BYTES = 2 * MAX_MEMBER_BYTES;

/** The fixed bytes of a member's header, with their places. */
const FIXED: readonly (readonly [at: number, bytes: Buffer])[] = [
  [0, Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, HEADER_BYTES - 12, 0])],
  [12, Buffer.from('GZ\x04\x00', 'latin1')],
  [20, Buffer.from('LF\x01\x00', 'latin1')],
  [25, Buffer.from('LC\x04\x00', 'latin1')],
];
/** So many of the 24 are the same in a header of ours with a few damaged bytes; in anybody else's it is 15 at most. */
const ALIKE = 18;

/** Whether a file begins with a member's header, or with one that was damaged. */
export function firstHeader(fd: number): 'whole' | 'damaged' | 'none' {
  const header = Buffer.alloc(HEADER_BYTES);
  const read = readSync(fd, header, 0, header.length, 0);
  if (read < header.length) return 'none';
  if (parseHeader(header) !== null) return 'whole';
  let alike = 0;
  for (const [at, bytes] of FIXED) {
    for (const [index, byte] of bytes.entries()) if (header[at + index] === byte) alike += 1;
  }
  return alike >= ALIKE ? 'damaged' : 'none';
}

/**
 * All pieces of the file, which cover it; a single gap where there is no member of ours at all. Takes a time that grows with the file and no faster.
 *
 * @throws INTERRUPTED
 */
export async function* surveyMembers(fd: number, fileSize: number, signal: AbortSignal): AsyncGenerator<Piece> {
  for (let offset = 0; offset < fileSize; ) {
    const member = memberAt(fd, fileSize, offset);
    const next = member === null ? offset : offset + member.size;
    const isFollowed = member !== null && (next === fileSize || memberAt(fd, fileSize, next) !== null);
    // Where nothing follows, either its own size is wrong, or what stands behind it is damaged.
    const end = isFollowed ? next : deflatedEnd(fd, fileSize, offset);
    const to = end ?? (await findWalk(fd, fileSize, offset + 1, signal));
    yield member !== null && to === next ? { type: 'member', member } : { type: 'gap', from: offset, to };
    offset = to;
  }
}

/** Where a member ends by what was deflated, whatever its header says; null where that is damaged. */
function deflatedEnd(fd: number, fileSize: number, offset: number): number | null {
  for (const headerBytes of [HEADER_BYTES, UNSEALED_HEADER_BYTES]) {
    // Most are far smaller than they may be.
    for (const most of [64 << 10, MAX_MEMBER_BYTES]) {
      const size = Math.min(most, fileSize - offset);
      const bytes = readMember(fd, { offset, size, kind: 'entries', blockBytes: 0 }).subarray(headerBytes);
      const end = endOfBlock(bytes);
      if (end === 'behind') continue;
      if (end !== null) return offset + headerBytes + end;
      break;
    }
  }
  return null;
}

/** Where a deflated block and its trailer end; null where there is none that is whole. */
function endOfBlock(bytes: Buffer): number | 'behind' | null {
  const options = { maxOutputLength: MAX_BLOCK_BYTES, chunkSize: BLOCK_BYTES, info: true };
  try {
    const { buffer: block, engine } = inflateRawSync(bytes, options) as never as Inflated;
    const end = engine.bytesWritten + TRAILER_BYTES;
    if (end > bytes.length) return 'behind';
    const isWhole = crc32(block) === bytes.readUInt32LE(end - 8) && block.length === bytes.readUInt32LE(end - 4);
    // Of nothing at all, eight zeros are the trailer.
    return isWhole && block.length > 0 ? end : null;
  } catch (error) {
    return systemErrorCode(error) === 'Z_BUF_ERROR' ? 'behind' : null;
  }
}

interface Inflated {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

function memberAt(fd: number, fileSize: number, offset: number): Member | null {
  const header = Buffer.alloc(HEADER_BYTES);
  const found = parseHeader(header.subarray(0, readSync(fd, header, 0, header.length, offset)));
  if (
    found === null ||
    found.size < found.bytes + 10 ||
    found.size > MAX_MEMBER_BYTES ||
    offset + found.size > fileSize
  )
    return null;
  const trailer = Buffer.alloc(4);
  readSync(fd, trailer, 0, 4, offset + found.size - 4);
  return { offset, size: found.size, kind: found.kind, blockBytes: trailer.readUInt32LE(0) };
}

/** Where the next walk begins that is believed; the end of the file where none is. */
async function findWalk(fd: number, fileSize: number, from: number, signal: AbortSignal): Promise<number> {
  const window = Buffer.alloc(WINDOW_BYTES + MAGIC.length);
  for (let start = from; start < fileSize; start += WINDOW_BYTES) {
    await nextTurn(signal);
    const read = readSync(fd, window, 0, window.length, start);
    const bytes = window.subarray(0, read);
    const search = { failed: new Set<number>(), tried: 0 };
    for (let at = bytes.indexOf(MAGIC); at !== -1 && at < WINDOW_BYTES; at = bytes.indexOf(MAGIC, at + 1)) {
      if (isBelieved(fd, fileSize, start + at, search)) return start + at;
    }
  }
  return fileSize;
}

/** What the walks from the places of a window have in common, so that none of them goes again where another one went. */
interface Search {
  /** Where walks came by that were not believed: from there on they are shorter still. */
  failed: Set<number>;
  /** Bytes of members that were inflated. */
  tried: number;
}

/** Whether the walk from a place gets to the end of the file, or farther than one within a stored block can. */
function isBelieved(fd: number, fileSize: number, from: number, search: Search): boolean {
  const passed: number[] = [];
  let last: Member | null = null;
  let at = from;
  while (!search.failed.has(at)) {
    if (at === fileSize) return true;
    const member = memberAt(fd, fileSize, at);
    if (member === null) break;
    if (at - from > STORED_BYTES) return true;
    passed.push(at);
    last = member;
    at += member.size;
  }
  for (const place of passed) search.failed.add(place);
  // No stored block holds a whole member of that size either.
  if (last === null || last.size <= STORED_BYTES || search.tried + last.size > TRIED_BYTES) return false;
  search.tried += last.size;
  return deflatedEnd(fd, fileSize, last.offset) === at;
}
