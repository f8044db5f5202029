/**
 * An archive that is about to be read: whether it can be walked member by member, and what has to be known of it before anything is written.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import {
  damaged,
  decodeManifest,
  HEADER_BYTES,
  indexMembers,
  inflateMember,
  type Manifest,
  type Member,
  notAnArchive,
  openPrivate,
  peekBlock,
  placeOf,
  quoted,
  type Role,
  readMember,
  readStream,
  type TarEvent,
  type TarHeader,
  TarReader,
  TRAILER_BYTES,
  temporaryName,
  writeAll,
} from './archive/index.js';
import { type DumpHeader, HEADER_SIZE, parseDumpHeader } from './datastore/index.js';
import { SnapshotError, systemErrorText, throwIfAborted } from './errors.js';
import { nextTurn } from './next-turn.js';
import { MAX_KNOWN_BYTES } from './workspace/index.js';

export interface OpenedArchive {
  handle: FileHandle;
  /** Bytes. */
  size: number;
  /** Its members; null where it has to be read as a stream. */
  members: Member[] | null;
  manifest: Manifest;
  /** config.yaml and setup.json as they were met on the way to these; not yet checked. */
  config: Buffer | null;
  setup: Buffer | null;
  /** What the dump says of itself; null where there is no dump. */
  dump: DumpHeader | null;
  /** Bytes of the file that were read to know all this. */
  bytesRead: number;
}

/** Compressed bytes that hold the first header of a block nearly always, and for sure, PAX records and all. */
const PEEKS = [2 << 10, 64 << 10];
/** Compressed bytes of a block that hold much of a dump's beginning. */
const DUMP_PEEK_BYTES = 64 << 10;

/**
 * Opens and judges an archive.
 *
 * @throws INPUT_NOT_FOUND, INPUT_UNREADABLE, NOT_AN_ARCHIVE, ARCHIVE_*, MANIFEST_*, DUMP_INVALID
 */
export async function openArchive(input: string | Readable, signal: AbortSignal): Promise<OpenedArchive> {
  const handle = await openInput(input, signal);
  try {
    return await judgeArchive(handle, signal);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opens the file that should be an archive, or makes one of a stream. @throws INPUT_NOT_FOUND, INPUT_UNREADABLE */
export function openInput(input: string | Readable, signal: AbortSignal): Promise<FileHandle> {
  return typeof input === 'string' ? openFile(input) : spoolInput(input, signal);
}

/** Judges an open archive; it stays open, whatever comes of it. @throws NOT_AN_ARCHIVE, ARCHIVE_*, MANIFEST_*, DUMP_INVALID */
export async function judgeArchive(handle: FileHandle, signal: AbortSignal): Promise<OpenedArchive> {
  const { size } = await handle.stat();
  const members = size === 0 ? null : indexMembers(handle.fd, size);
  const tally: Tally = { bytes: (members?.length ?? 1) * (TRAILER_BYTES / 2 + HEADER_BYTES) };
  const quick = members === null ? null : await quickLook(handle.fd, members, signal, tally);
  const { manifest, config, setup, dump } = quick ?? (await longLook(handle.fd, size, signal, tally));
  if (manifest === null) {
    throw new SnapshotError('MANIFEST_MISSING', 'the archive has no MANIFEST.json', {
      hint: 'it was not written by a Leoflow backup, or was repacked without it; name another archive',
    });
  }
  return {
    handle,
    size,
    members,
    manifest: decodeManifest(manifest),
    config,
    setup,
    dump: dump === null ? null : parseDumpHeader(dump),
    bytesRead: tally.bytes,
  };
}

/** The first header in a block, with as little inflated as it takes. */
export interface FirstHeader {
  /** Null where there is none. */
  header: TarHeader | null;
  /** Bytes that it takes in the block. */
  bytes: number;
  /** Bytes of the file that were read. */
  read: number;
}

/** Looks for the first header in a block. */
export function firstHeaderOf(fd: number, member: Member): FirstHeader {
  let read = 0;
  for (const bytes of PEEKS) {
    read += Math.min(bytes, member.size);
    const reader = new TarReader();
    for (const event of reader.push(peekBlock(fd, member, bytes)))
      if (event.type === 'entry') return { header: event.header, bytes: reader.position, read };
    if (bytes >= member.size) break;
  }
  return { header: null, bytes: 0, read };
}

/** The header in front of a block that begins a file. @throws ARCHIVE_DAMAGED */
export function fileHeader(fd: number, member: Member): FirstHeader & { header: TarHeader } {
  const { header, bytes, read } = firstHeaderOf(fd, member);
  if (header === null) throw damaged(`the member at byte ${member.offset} begins no file`);
  if (header.kind !== 'file') throw damaged(`${quoted(header.name)} continues in other members, but is no file`);
  return { header, bytes, read };
}

async function openFile(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    const code =
      cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' ? 'INPUT_NOT_FOUND' : 'INPUT_UNREADABLE';
    throw new SnapshotError(code, `the archive ${path}: ${systemErrorText(cause)}`, {
      hint: 'check the path of the archive',
      cause,
    });
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new SnapshotError('INPUT_UNREADABLE', `the archive ${path} is not a regular file`, {
    hint: 'name a file, or pipe the archive in and say - instead of its name',
  });
}

/** A stream cannot be read twice nor by many at once, so it is copied to a private file without a name. */
async function spoolInput(input: Readable, signal: AbortSignal): Promise<FileHandle> {
  const path = join(tmpdir(), temporaryName('restore-input'));
  const handle = await openPrivate(path, tmpdir());
  try {
    await unlink(path);
    for await (const chunk of readable(input, signal)) {
      throwIfAborted(signal);
      await writeAll(handle, path, chunk);
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Stops waiting when the signal fires, also for a stream that is silent. @throws INPUT_UNREADABLE where the stream breaks off, INTERRUPTED */
async function* readable(input: Readable, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* addAbortSignal(signal, input) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throwIfAborted(signal);
    throw new SnapshotError('INPUT_UNREADABLE', `the archive cannot be read: ${systemErrorText(cause)}`, {
      hint: 'pipe it in again; nothing was changed',
      cause,
    });
  }
}

interface Look {
  manifest: Buffer | null;
  config: Buffer | null;
  setup: Buffer | null;
  /** The beginning of the dump. */
  dump: Buffer | null;
}

/** Counts what is read. */
interface Tally {
  bytes: number;
}

/** Archives of ours have manifest and config in their first block, and the dump near the end; null where this one has not. */
async function quickLook(
  fd: number,
  members: readonly Member[],
  signal: AbortSignal,
  tally: Tally,
): Promise<Look | null> {
  const [first] = members;
  if (first === undefined || first.kind !== 'entries') return null;
  const look: Look = { manifest: null, config: null, setup: null, dump: null };
  const viewer = new Viewer(look);
  tally.bytes += first.size;
  for (const event of new TarReader().push(inflateMember(readMember(fd, first), first))) viewer.see(event);
  if (look.manifest === null || look.config === null) return null;
  for (let index = members.length - 1; index > 0 && look.dump === null; index -= 1) {
    const member = members[index] as Member;
    if (member.kind !== 'first') continue;
    await nextTurn(signal);
    const { header, bytes, read } = fileHeader(fd, member);
    tally.bytes += read;
    if (roleOf(header) !== 'datastore') continue;
    const wanted = Math.min(HEADER_SIZE, header.size);
    const pieces: Buffer[] = [];
    let missing = wanted;
    for (let at = index; missing > 0 && (at === index || members[at]?.kind === 'continuation'); at += 1) {
      await nextTurn(signal);
      const segment = members[at] as Member;
      const piece = peekBlock(fd, segment, DUMP_PEEK_BYTES).subarray(at === index ? bytes : 0);
      tally.bytes += Math.min(segment.size, DUMP_PEEK_BYTES);
      missing -= piece.length;
      pieces.push(piece);
    }
    // One that is cut off here is found out from its beginning.
    if (missing > 0) return null;
    look.dump = Buffer.concat(pieces).subarray(0, wanted);
  }
  return look.dump === null ? null : look;
}

/** Reads until all have been seen that decide something; setup.json may be absent, and is not waited for. */
async function longLook(fd: number, size: number, signal: AbortSignal, tally: Tally): Promise<Look> {
  if (size === 0) throw notAnArchive('it is empty');
  const look: Look = { manifest: null, config: null, setup: null, dump: null };
  const viewer = new Viewer(look);
  const before = tally.bytes;
  const onRead = (bytes: number) => {
    tally.bytes = before + bytes;
  };
  for await (const event of readStream(fd, size, signal, onRead)) {
    viewer.see(event);
    if (viewer.complete) break;
  }
  return look;
}

/** Picks what decides something out of the events of an archive. */
class Viewer {
  readonly #look: Look;
  #role: Exclude<Role, 'checksums'> | null = null;
  #limit = 0;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(look: Look) {
    this.#look = look;
  }

  get complete(): boolean {
    const { manifest, config, dump } = this.#look;
    return manifest !== null && config !== null && dump !== null;
  }

  see(event: TarEvent): void {
    if (event.type === 'entry') {
      const role = roleOf(event.header);
      this.#role = role === 'checksums' ? null : role;
      this.#limit = role === 'datastore' ? HEADER_SIZE : MAX_KNOWN_BYTES;
      this.#pieces = [];
      this.#bytes = 0;
    } else if (this.#role !== null && event.type === 'content' && this.#bytes < this.#limit) {
      this.#pieces.push(Buffer.from(event.bytes));
      this.#bytes += event.bytes.length;
      // Of the dump the beginning is enough; it may go on for gigabytes.
      if (this.#role === 'datastore' && this.#bytes >= this.#limit) this.#keep(this.#role);
    } else if (this.#role !== null && event.type === 'done') {
      this.#keep(this.#role);
    }
  }

  #keep(role: Exclude<Role, 'checksums'>): void {
    this.#look[role === 'datastore' ? 'dump' : role] ??= Buffer.concat(this.#pieces).subarray(0, this.#limit);
  }
}

/** The role of a known file at the top; null for anything else. */
function roleOf({ name, kind }: TarHeader): Role | null {
  const place = placeOf(name, kind === 'directory' ? 'directory' : 'other');
  return place.type === 'known' && kind === 'file' ? place.role : null;
}
