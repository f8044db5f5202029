/**
 * Walking an archive that is damaged: from member to member as far as that goes, and on behind what breaks the walk.
 *
 * What comes next to a broken header is looked for by its bytes. An archive that was backed up as a file holds just such bytes, so a place is believed only
 * if the walk from there reaches the end of the file.
 */
import { readSync } from 'node:fs';
import { SnapshotError } from '../errors.js';
import { HEADER_BYTES, UNSEALED_HEADER_BYTES } from './member.js';
import { checkSeal, indexMembers, MAX_MEMBER_BYTES, type Member, parseHeader, readMember } from './member-reader.js';

/** A piece of the file, in its order. */
export type Piece =
  | { type: 'member'; member: Member }
  /** No member can be told from `from` up to `to`; both are offsets in bytes. */
  | { type: 'gap'; from: number; to: number };

const MAGIC = Buffer.from([0x1f, 0x8b, 0x08, 0x04]);
const WINDOW_BYTES = 4 << 20;

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

/** All pieces of the file, which cover it; a single gap where there is no member of ours at all. */
export function surveyMembers(fd: number, fileSize: number): Piece[] {
  const pieces: Piece[] = [];
  let offset = 0;
  while (offset < fileSize) {
    const member = memberAt(fd, fileSize, offset);
    const next = member === null ? offset : offset + member.size;
    if (member !== null && (next === fileSize || memberAt(fd, fileSize, next) !== null)) {
      pieces.push({ type: 'member', member });
      offset = next;
      continue;
    }
    // Either its own size is wrong, or what follows is damaged; its seal tells.
    if (member !== null && isSound(fd, member)) {
      pieces.push({ type: 'member', member });
      offset = next;
    }
    const to = findChain(fd, fileSize, offset + 1);
    pieces.push({ type: 'gap', from: offset, to });
    offset = to;
  }
  return pieces;
}

/** Whether the walk from here reaches the end of the file. */
function isChain(fd: number, fileSize: number, offset: number): boolean {
  try {
    return indexMembers(fd, fileSize, offset) !== null;
  } catch (error) {
    if (error instanceof SnapshotError) return false;
    throw error;
  }
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

function isSound(fd: number, member: Member): boolean {
  const bytes = readMember(fd, member);
  if (parseHeader(bytes)?.seal == null) return false;
  try {
    checkSeal(bytes, member);
    return true;
  } catch {
    return false;
  }
}

/** Where the next walk begins that reaches the end; the end itself where there is none. */
function findChain(fd: number, fileSize: number, from: number): number {
  const window = Buffer.alloc(WINDOW_BYTES + UNSEALED_HEADER_BYTES);
  for (let start = from; start < fileSize; start += WINDOW_BYTES) {
    const read = readSync(fd, window, 0, window.length, start);
    const bytes = window.subarray(0, read);
    for (let at = bytes.indexOf(MAGIC); at !== -1 && at < WINDOW_BYTES; at = bytes.indexOf(MAGIC, at + 1)) {
      if (isChain(fd, fileSize, start + at)) return start + at;
    }
  }
  return fileSize;
}
