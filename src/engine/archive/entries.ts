/**
 * Tar entries: turning files, directories and links into whole records, by tar-stream.
 *
 * Where ustar cannot hold something (a name, a link, a size over 8 GiB, a time before 1970 or after 2038), PAX records do.
 */
import { once } from 'node:events';
import { constants } from 'node:fs';
import { type Header, pack } from 'tar-stream';
import { padded, RECORD_BYTES } from './member.js';
import type { ArchivePath } from './names.js';

/** What an entry's header says. */
export interface EntryHeader {
  name: ArchivePath;
  kind: EntryKind;
  /** Permission bits, including setuid, setgid and sticky. */
  mode: number;
  /** Modification time, whole seconds since 1970. */
  mtime: number;
  /** Bytes of content; 0 unless a file. */
  size: number;
  /** Target of a symlink. */
  linkname?: string;
}

export type EntryKind = 'file' | 'directory' | 'symlink';

/** An entry with its content, complete. */
export interface Entry extends EntryHeader {
  content?: Buffer;
}

const TYPE_BITS: Record<EntryKind, number> = {
  file: constants.S_IFREG,
  directory: constants.S_IFDIR,
  symlink: constants.S_IFLNK,
};
/** The largest size that eleven octal digits hold. */
const USTAR_MAX_SIZE = 0o77777777777;
/** tar-stream writes times as signed 32-bit numbers. */
const HEADER_MAX_MTIME = 0x7fffffff;
const NOTHING = Buffer.alloc(0);

/** The two zero records that end an archive. */
export const END_OF_ARCHIVE = Buffer.alloc(2 * RECORD_BYTES);

/**
 * Whole entries as records: header, content, padding, one after the other.
 *
 * @param target where the records go, if they fit; otherwise a new buffer is made
 * @returns the records, a part of the target or the new buffer
 */
export async function encodeEntries(entries: Iterable<Entry>, target?: Uint8Array): Promise<Uint8Array> {
  const tar = pack({ highWaterMark: Number.MAX_SAFE_INTEGER });
  for (const entry of entries) tar.entry(toHeaders(entry), entry.content ?? NOTHING);
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return concat(chunks, sizeOf(chunks) - END_OF_ARCHIVE.length, target);
}

/** The header records of a file whose content stands elsewhere: PAX records where needed, then the header. */
export async function encodeFileHeader(header: EntryHeader): Promise<Buffer> {
  const tar = pack();
  // The content never comes; tar-stream calls that an error when the stream is destroyed.
  tar.on('error', () => {});
  tar.entry(toHeaders(header), () => {}).on('error', () => {});
  await once(tar, 'readable');
  const chunks: Buffer[] = [];
  for (let chunk = tar.read(); chunk !== null; chunk = tar.read()) chunks.push(chunk as Buffer);
  tar.destroy();
  return Buffer.concat(chunks);
}

/**
 * Pieces followed by zeros up to whole records.
 *
 * @param target as for {@link encodeEntries}
 */
export function concatRecords(pieces: readonly Uint8Array[], target?: Uint8Array): Uint8Array {
  return concat(pieces, padded(sizeOf(pieces)), target);
}

function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** The first `size` bytes of the pieces, with zeros where they end earlier. A single piece that is long enough is not copied. */
function concat(pieces: readonly Uint8Array[], size: number, target: Uint8Array | undefined): Uint8Array {
  if (pieces.length === 1 && pieces[0]?.length === size) return pieces[0];
  const whole = target !== undefined && target.length >= size ? target.subarray(0, size) : Buffer.allocUnsafe(size);
  let at = 0;
  for (const piece of pieces) {
    const part = piece.subarray(0, size - at);
    whole.set(part, at);
    at += part.length;
  }
  return whole.fill(0, at);
}

function toHeaders(entry: EntryHeader): Partial<Header> & Pick<Header, 'name'> {
  const pax: Record<string, string> = {};
  if (entry.size > USTAR_MAX_SIZE) pax.size = String(entry.size);
  if (entry.mtime < 0 || entry.mtime > HEADER_MAX_MTIME) pax.mtime = String(entry.mtime);
  return {
    name: entry.name,
    type: entry.kind,
    // With its type bits a mode of 0 stays 0; tar-stream takes a bare 0 for "none given".
    mode: TYPE_BITS[entry.kind] | entry.mode,
    mtime: new Date(Math.min(Math.max(entry.mtime, 0), HEADER_MAX_MTIME) * 1000),
    size: entry.size,
    uid: 0,
    gid: 0,
    ...(entry.linkname === undefined ? {} : { linkname: entry.linkname }),
    ...(Object.keys(pax).length === 0 ? {} : { pax }),
  };
}
