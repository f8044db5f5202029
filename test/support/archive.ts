/** Reading an archive by docs/format.md alone, without the code that writes it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32, gunzipSync } from 'node:zlib';

/** A gzip member. */
export interface Member {
  offset: number;
  /** As it stands in the archive. */
  raw: Buffer;
  /** What its LF subfield says: E, F or C. */
  kind: string;
  /** Its content. */
  block: Buffer;
}

/** Walks from member to member by the GZ subfield. @throws Error where anything is not as the format says */
export function membersOf(archive: Buffer): Member[] {
  const members: Member[] = [];
  for (let offset = 0; offset < archive.length; ) {
    const at = (index: number) => archive[offset + index];
    const fail = (what: string) => new Error(`member ${members.length} at ${offset}: ${what}`);
    if (at(0) !== 0x1f || at(1) !== 0x8b || at(2) !== 8) throw fail('no gzip member');
    if (at(3) !== 4) throw fail(`flags ${at(3)}, not FEXTRA alone`);
    if (archive.readUInt32LE(offset + 4) !== 0) throw fail('it has a time');
    if (archive.readUInt16LE(offset + 10) !== 21) throw fail('XLEN is not 21');
    if (archive.toString('latin1', offset + 12, offset + 14) !== 'GZ') throw fail('the first subfield is not GZ');
    if (archive.readUInt16LE(offset + 14) !== 4) throw fail('GZ has not 4 bytes');
    const size = archive.readUInt32LE(offset + 16);
    if (archive.toString('latin1', offset + 20, offset + 22) !== 'LF') throw fail('the second subfield is not LF');
    if (archive.readUInt16LE(offset + 22) !== 1) throw fail('LF has not 1 byte');
    const kind = archive.toString('latin1', offset + 24, offset + 25);
    if (!'EFC'.includes(kind)) throw fail(`LF says ${kind}`);
    if (archive.toString('latin1', offset + 25, offset + 27) !== 'LC') throw fail('the third subfield is not LC');
    if (archive.readUInt16LE(offset + 27) !== 4) throw fail('LC has not 4 bytes');
    const raw = archive.subarray(offset, offset + size);
    if (raw.length !== size) throw fail('it is cut off');
    const unsealed = Buffer.from(raw).fill(0, 29, 33);
    if (crc32(unsealed) !== raw.readUInt32LE(29)) throw fail('LC is not the CRC-32 of the member');
    // Node inflates what follows a member too: that there is nothing more of it proves the size.
    const block = gunzipSync(raw);
    if (block.length % 512 !== 0) throw fail(`${block.length} bytes are no whole records`);
    if (raw.readUInt32LE(size - 8) !== crc32(block) || raw.readUInt32LE(size - 4) !== block.length) {
      throw fail('its trailer is wrong, so its size is');
    }
    members.push({ offset, raw, kind, block });
    offset += size;
  }
  return members;
}

/** A tar entry. */
export interface TarEntry {
  name: string;
  /** `0` file, `2` symlink, `5` directory. */
  type: string;
  mode: number;
  uid: number;
  gid: number;
  /** User and group names, one after the other. */
  owner: string;
  size: number;
  mtime: number;
  linkname: string;
  /** Where its first header record stands in the tar, and where its content does. */
  offset: number;
  contentOffset: number;
  content: Buffer;
  pax: Record<string, string>;
}

/** The entries of a tar: ustar with PAX records. */
export function entriesOf(tar: Buffer): TarEntry[] {
  const entries: TarEntry[] = [];
  let pax: Record<string, string> = {};
  let start = 0;
  for (let offset = 0; ; ) {
    const header = tar.subarray(offset, offset + 512);
    if (header.length < 512) throw new Error('the archive has no end');
    if (header.every((byte) => byte === 0)) {
      if (tar.length !== offset + 1024 || tar[offset + 512] !== 0)
        throw new Error('the end is not two records of zeros');
      return entries;
    }
    const text = (from: number, length: number) => {
      const field = header.subarray(from, from + length);
      const end = field.indexOf(0);
      return field.toString('utf8', 0, end < 0 ? length : end);
    };
    const octal = (from: number, length: number) => Number.parseInt(text(from, length).trim() || '0', 8);
    let sum = 0;
    for (let at = 0; at < header.length; at += 1) sum += at >= 148 && at < 156 ? 32 : (header[at] as number);
    if (sum !== octal(148, 8)) throw new Error(`the header at ${offset} has a wrong checksum`);
    const prefix = text(345, 155);
    const size = Number(pax.size ?? octal(124, 12));
    const content = tar.subarray(offset + 512, offset + 512 + size);
    const next = offset + 512 + Math.ceil(size / 512) * 512;
    const type = text(156, 1);
    if (type === 'x') {
      pax = paxRecords(content);
    } else {
      entries.push({
        name: pax.path ?? (prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`),
        type,
        mode: octal(100, 8),
        uid: octal(108, 8),
        gid: octal(116, 8),
        owner: text(265, 32) + text(297, 32),
        size,
        mtime: Number(pax.mtime ?? octal(136, 12)),
        linkname: pax.linkpath ?? text(157, 100),
        offset: start,
        contentOffset: offset + 512,
        content,
        pax,
      });
      pax = {};
      start = next;
    }
    offset = next;
  }
}

function paxRecords(content: Buffer): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < content.length; ) {
    const length = Number.parseInt(content.toString('latin1', at, content.indexOf(0x20, at)), 10);
    const record = content.toString('utf8', content.indexOf(0x20, at) + 1, at + length - 1);
    if (content[at + length - 1] !== 0x0a) throw new Error('a PAX record does not end where it says');
    const equals = record.indexOf('=');
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

/** The entries of an archive file. */
export function readArchive(path: string): TarEntry[] {
  return entriesOf(gunzipSync(readFileSync(path)));
}

/** Unpacks with plain tar, into a directory that is made. @returns what tar said */
export function untar(archive: string, target: string): void {
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['xzpf', archive, '-C', target, '--warning=no-timestamp'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Runs `sha256sum -c SHA256SUMS` in an unpacked archive. @returns how many files it found right; throws where one is not */
export function checkSums(unpacked: string): number {
  const said = execFileSync('sha256sum', ['--strict', '-c', 'SHA256SUMS'], {
    cwd: unpacked,
    encoding: 'latin1',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return said.split('\n').filter((line) => line.endsWith(': OK')).length;
}

/** A reader of nothing but manifest_version 1, in Python. */
export const V1_READER = fileURLToPath(new URL('v1-reader.py', import.meta.url));
