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
const END_OF_ARCHIVE_BYTES = 2 * RECORD_BYTES;

/** The two zero records that end an archive. */
export const END_OF_ARCHIVE = Buffer.alloc(END_OF_ARCHIVE_BYTES);

/** Whole entries as records: header, content, padding, one after the other. */
export async function encodeEntries(entries: Iterable<Entry>): Promise<Buffer> {
  const tar = pack({ highWaterMark: Number.MAX_SAFE_INTEGER });
  for (const entry of entries) tar.entry(toHeaders(entry), entry.content ?? Buffer.alloc(0));
  tar.finalize();
  const chunks: Buffer[] = [];
  let bytes = -END_OF_ARCHIVE_BYTES;
  for await (const chunk of tar) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return Buffer.concat(chunks, bytes);
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

/** `content` followed by zeros up to whole records; `content` itself where nothing is missing. */
export function padToRecords(content: Uint8Array): Uint8Array {
  const size = padded(content.length);
  if (size === content.length) return content;
  const block = Buffer.alloc(size);
  block.set(content);
  return block;
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
