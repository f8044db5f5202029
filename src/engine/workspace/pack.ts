/**
 * Packing: reading files and turning them into members, in a worker.
 *
 * Files change while they are read. Whatever happens to one, its entry has the size that its header says, and what happened is reported.
 */

import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import {
  BLOCK_BYTES,
  checksumLine,
  compressMember,
  concatRecords,
  type Entry,
  type EntryHeader,
  encodeEntries,
  encodeFileHeader,
  entryLine,
  workspaceEntry,
} from '../archive/index.js';
import { systemErrorCode, systemErrorText } from '../errors.js';
import type { Warning } from '../events.js';
import { type EntryRow, type EntryTable, joinTables, rowOf, sliceTable, wholeSeconds } from './entry-table.js';

/** Small entries for one block. */
export interface GroupTask {
  root: string;
  /** Given away. */
  table: EntryTable;
  level: number;
  /** A buffer that comes back with the member; given away. */
  target: ArrayBuffer;
}

export interface GroupResult {
  /** The member; null when nothing could be read. Given away: its buffer belongs to the receiver. */
  member: Uint8Array<ArrayBuffer> | null;
  /** Lines for SHA256SUMS. */
  checksums: string;
  /** Lines for INDEX.jsonl, of all entries. */
  index: string;
  /** Entries for another task, where files have grown since the scan and these no longer fit the block. */
  rest: EntryTable | null;
  files: number;
  directories: number;
  symlinks: number;
  /** Bytes of content. */
  bytes: number;
  warnings: Warning[];
}

/** A piece of a large file that the coordinator has opened. */
export interface SegmentTask {
  /** Open for as long as the task runs. */
  fd: number;
  /** Where the segment begins in the file, and how long it is, in bytes. */
  offset: number;
  length: number;
  /** The file's header, in front of its first segment. */
  header: EntryHeader | null;
  level: number;
  /** A buffer that comes back as the result's content; given away. */
  buffer: ArrayBuffer;
  /** A buffer that comes back with the member; given away. */
  target: ArrayBuffer;
}

export interface SegmentResult {
  /** Given away: its buffer belongs to the receiver. */
  member: Uint8Array<ArrayBuffer>;
  /** What the archive holds of the file, `length` bytes in the task's buffer, for the checksum over the whole. Given away too. */
  content: Uint8Array<ArrayBuffer>;
  /** Why the archive does not hold what the file does: zeros stand for what was missing. */
  problem: string | null;
}

/** O_NONBLOCK: a FIFO put in a file's place must not hold everything up. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Reads of a file that keeps changing before it is taken as it is. */
const ATTEMPTS = 2;

/** Packs small entries into one member: all of them, or the first ones that fit a block as they are now. */
export async function packGroup({ root, table, level, target }: GroupTask): Promise<GroupResult> {
  const result: GroupResult = {
    member: null,
    checksums: '',
    index: '',
    rest: null,
    files: 0,
    directories: 0,
    symlinks: 0,
    bytes: 0,
    warnings: [],
  };
  const entries: Entry[] = [];
  scratch.used = 0;
  for (let index = 0; index < table.ends.length; index += 1) {
    const row = rowOf(table, index);
    const path = join(root, row.path);
    try {
      const entry = readEntry(row, path, result.warnings);
      if (entry === null) continue;
      entries.push(entry);
      result.index += entryLine(entry);
      if (entry.kind === 'directory') result.directories += 1;
      else if (entry.kind === 'symlink') result.symlinks += 1;
      else {
        const content = entry.content ?? EMPTY;
        result.files += 1;
        result.bytes += content.length;
        result.checksums += checksumLine(hash('sha256', content, 'hex'), entry.name);
      }
    } catch (error) {
      if (error instanceof BlockFull) {
        result.rest = joinTables([sliceTable(table, index, table.ends.length)]);
        break;
      }
      result.warnings.push(readWarning(path, error));
    }
  }
  if (entries.length > 0) {
    result.member = compressMember(await encodeEntries(entries, scratch.block), 'entries', level, target);
  }
  return result;
}

/** Packs a segment of a large file. What cannot be read any more is filled up with zeros: the header has promised the size. */
export async function packSegment(task: SegmentTask): Promise<SegmentResult> {
  const { fd, offset, length, header, level, target } = task;
  const content = Buffer.from(task.buffer, 0, length);
  let read = 0;
  let problem: string | null = null;
  try {
    read = readFully(fd, content, offset);
    if (read < length) problem = 'it became shorter while it was read';
  } catch (error) {
    problem = `it cannot be read: ${systemErrorText(error)}`;
  }
  content.fill(0, read);
  const block = concatRecords(header === null ? [content] : [await encodeFileHeader(header), content], scratch.block);
  const member = compressMember(block, header === null ? 'continuation' : 'first', level, target);
  return { member, content, problem };
}

/** Why a path could not be read, as a warning. */
export function readWarning(path: string, error: unknown): Warning {
  const code = systemErrorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { code: 'vanished', path, message: 'it vanished before it could be read', incomplete: true };
  }
  // O_NOFOLLOW met a link.
  if (code === 'ELOOP')
    return { code: 'changed', path, message: 'it was replaced by a link, it is left out', incomplete: true };
  // A socket cannot be opened.
  const replaced = code === 'ENXIO' ? new Replaced('file') : error;
  if (replaced instanceof Replaced)
    return { code: 'changed', path, message: `${replaced.message}, it is left out`, incomplete: true };
  return { code: 'unreadable', path, message: `it cannot be read: ${systemErrorText(error)}`, incomplete: true };
}

/** Something else stands where the scan saw a file or a link. */
class Replaced extends Error {
  /** @param kind what it was */
  constructor(kind: string) {
    super(`it was replaced by something that is no ${kind}`);
  }
}

/** What comes next does not fit the block any more. */
class BlockFull extends Error {}

/** Opens a file for reading, and nothing but a file. @throws system errors, or one that {@link readWarning} knows */
export function openForReading(path: string): { fd: number; stats: BigIntStats } {
  const fd = openSync(path, OPEN_FLAGS);
  const stats = fstatSync(fd, { bigint: true });
  if (stats.isFile()) return { fd, stats };
  closeSync(fd);
  throw new Replaced('file');
}

const EMPTY = Buffer.alloc(0);

function readLink(path: string): Buffer {
  try {
    return readlinkSync(path, 'buffer');
  } catch (error) {
    throw systemErrorCode(error) === 'EINVAL' ? new Replaced('link') : error;
  }
}

function readEntry(row: EntryRow, path: string, warnings: Warning[]): Entry | null {
  const { kind, mode, mtimeNs } = row;
  const header = {
    name: workspaceEntry(row.path, kind === 'directory'),
    kind,
    mode,
    mtime: wholeSeconds(mtimeNs),
    size: 0,
  };
  if (kind === 'directory') return header;
  if (kind === 'symlink') {
    const target = readLink(path);
    // It stands in the header, but can have grown as a file can.
    takeScratch(target.length);
    if (isUtf8(target)) return { ...header, linkname: target.toString() };
    warnings.push({
      code: 'not-utf8',
      path,
      message: 'the target of the link is not UTF-8, it is left out',
      incomplete: true,
    });
    return null;
  }
  const { content, mtime, changed } = readSmallFile(path, row);
  if (changed) warnings.push({ code: 'changed', path, message: 'it changed while it was read', incomplete: true });
  return { ...header, size: content.length, mtime, content };
}

/** Reads a file as it is at one moment; where it keeps changing, its planned size at most. */
function readSmallFile(path: string, row: EntryRow): { content: Buffer; mtime: number; changed: boolean } {
  const fd = openSync(path, OPEN_FLAGS);
  const { used } = scratch;
  try {
    let { size, mtimeNs } = row;
    for (let attempt = 1; ; attempt += 1) {
      scratch.used = used;
      const content = takeScratch(size);
      const read = readFully(fd, content, 0);
      const now = fstatSync(fd, { bigint: true });
      if (!now.isFile()) throw new Replaced('file');
      const steady = now.mtimeNs === mtimeNs && Number(now.size) === size && read === size;
      // It may have changed since the scan, and be at rest now: then it is read again, whole, unless it no longer fits a block.
      if (steady || attempt === ATTEMPTS || Number(now.size) > BLOCK_BYTES) {
        return { content: content.subarray(0, read), mtime: wholeSeconds(mtimeNs), changed: !steady };
      }
      size = Number(now.size);
      mtimeNs = now.mtimeNs;
    }
  } catch (error) {
    // Reading a directory or a FIFO fails in its own way.
    throw fstatSync(fd).isFile() ? error : new Replaced('file');
  } finally {
    closeSync(fd);
  }
}

/**
 * Memory of this thread, used again by every task: a thread that takes a new buffer for each file waits for its garbage, and grows.
 * A task runs alone in its thread, and nothing of it outlives the task.
 */
const scratch = {
  /** Content of the files of one block: a group has no more than fits, unless they have grown. */
  content: Buffer.allocUnsafeSlow(BLOCK_BYTES),
  used: 0,
  /** A block: content and headers, which in the worst case (empty files with long names) are several records each. */
  block: Buffer.allocUnsafeSlow(2 * BLOCK_BYTES),
};

/** @throws BlockFull; never for a single entry */
function takeScratch(size: number): Buffer {
  const from = scratch.used;
  if (from + size > scratch.content.length) throw new BlockFull();
  scratch.used += size;
  return scratch.content.subarray(from, from + size);
}

/** Fills a buffer from a file. @returns bytes read, fewer than asked for only at the file's end */
function readFully(fd: number, buffer: Buffer, position: number): number {
  let done = 0;
  while (done < buffer.length) {
    const read = readSync(fd, buffer, done, buffer.length - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}
