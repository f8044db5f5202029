/**
 * Reading tar, strictly.
 *
 * An archive may come from anywhere. Common tar readers are lenient: they skip what they do not understand, believe any size, stop quietly where
 * a record lies (docs/decisions/0009). This one takes ustar, GNU and PAX archives as GNU tar, bsdtar, Python and Go write them, and refuses
 * everything else by name. It does no I/O and never waits: bytes go in, events come out.
 */
import { isUtf8 } from 'node:buffer';
import { SnapshotError } from '../errors.js';
import { checkLinkTarget, quoted } from './entry-place.js';
import { RECORD_BYTES } from './member.js';
import { type PaxRecords, parsePax } from './pax.js';

/** What an entry is. */
export type TarKind = 'file' | 'directory' | 'symlink' | 'hardlink' | 'special';

/** The header of an entry, PAX and GNU records already applied. */
export interface TarHeader {
  /** As it stands in the archive: unchecked, perhaps hostile. */
  name: string;
  kind: TarKind;
  /** Permission bits. */
  mode: number;
  /** Whole seconds since 1970. */
  mtime: number;
  /** Bytes of content that follow; 0 unless a file. */
  size: number;
  /** Target of a link; empty for anything else. */
  linkname: string;
}

export type TarEvent =
  | { type: 'entry'; header: TarHeader }
  /** A piece of the content of the entry; a part of what was pushed. */
  | { type: 'content'; bytes: Buffer }
  /** The entry is complete. */
  | { type: 'done' };

/** PAX records and long names are held in memory; a real one is far smaller. */
const META_BYTES = 1 << 20;
const TYPE = {
  regular: 0x30,
  oldRegular: 0,
  hardlink: 0x31,
  symlink: 0x32,
  directory: 0x35,
  contiguous: 0x37,
  pax: 0x78,
  paxGlobal: 0x67,
  gnuLongName: 0x4c,
  gnuLongLink: 0x4b,
  gnuVolume: 0x56,
} as const;
const SPECIAL_TYPES: ReadonlySet<number> = new Set([0x33, 0x34, 0x36]);
const EMPTY = Buffer.alloc(0);

type State = { at: 'header' } | { at: 'end' } | Taking;
/** Taking `left` bytes of something. */
type Taking =
  | { at: 'content'; left: number; padding: number }
  | { at: 'meta'; left: number; padding: number; type: number; pieces: Buffer[] }
  | { at: 'padding'; left: number };

/** Turns the bytes of a tar archive into events. */
export class TarReader {
  /** Whether the end-of-archive marker has been seen. */
  ended = false;
  /** Whether it has begun as a tar archive does. */
  recognized = false;
  /** Bytes taken so far; at an `entry` event, those up to the end of its header. */
  position = 0;
  #state: State = { at: 'header' };
  #rest = EMPTY;
  #global: PaxRecords = {};
  #next: PaxRecords & { longName?: string; longLink?: string } = {};
  /** Types of the headers that have come for the next entry. */
  readonly #ahead = new Set<number>();
  #zeros = 0;

  /**
   * Takes the next bytes, cut anywhere.
   *
   * @throws ARCHIVE_DAMAGED, ARCHIVE_UNSAFE
   */
  *push(chunk: Buffer): Generator<TarEvent> {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = EMPTY;
    while (bytes.length > 0) {
      const state = this.#state;
      if (state.at === 'header') {
        if (bytes.length < RECORD_BYTES) {
          this.#rest = Buffer.from(bytes);
          return;
        }
        const record = bytes.subarray(0, RECORD_BYTES);
        bytes = bytes.subarray(RECORD_BYTES);
        this.position += RECORD_BYTES;
        yield* this.#record(record);
      } else if (state.at === 'end') {
        if (!isZero(bytes)) throw damaged('there is something behind its end-of-archive marker');
        return;
      } else {
        const part = bytes.subarray(0, state.left);
        bytes = bytes.subarray(part.length);
        state.left -= part.length;
        this.position += part.length;
        if (state.at === 'content') yield { type: 'content', bytes: part };
        else if (state.at === 'meta') state.pieces.push(Buffer.from(part));
        else if (!isZero(part)) throw damaged('the padding of an entry is not empty');
        if (state.left === 0) yield* this.#complete(state);
      }
    }
  }

  /** Whether the bytes so far end between two entries. */
  get betweenEntries(): boolean {
    if (this.#state.at === 'end') return true;
    return this.#state.at === 'header' && this.#rest.length === 0 && this.#ahead.size === 0 && this.#zeros === 0;
  }

  *#complete(state: Taking): Generator<TarEvent> {
    const padding = state.at === 'padding' ? 0 : state.padding;
    this.#state = padding > 0 ? { at: 'padding', left: padding } : { at: 'header' };
    if (state.at === 'content') yield { type: 'done' };
    if (state.at === 'meta') this.#meta(state.type, Buffer.concat(state.pieces));
  }

  *#record(record: Buffer): Generator<TarEvent> {
    if (isZero(record)) {
      if (this.#ahead.size > 0) throw damaged('its last entry has a PAX record but no header');
      this.#zeros += 1;
      if (this.#zeros === 2) {
        this.ended = true;
        this.#state = { at: 'end' };
      }
      return;
    }
    if (this.#zeros > 0) throw damaged('a single empty record stands between entries');
    this.recognized ||= record.toString('latin1', 257, 262) === 'ustar';
    checkSum(record);
    this.recognized = true;
    const type = record[156] as number;
    const size = this.#size(record, type);
    const padding = (RECORD_BYTES - (size % RECORD_BYTES)) % RECORD_BYTES;
    if (isMeta(type)) {
      this.#checkAhead(type);
      if (size > META_BYTES) throw damaged(`a PAX or GNU record of ${size} bytes is larger than any real one`);
      if (size === 0) return this.#meta(type, EMPTY);
      this.#state = { at: 'meta', left: size, padding, type, pieces: [] };
      return;
    }
    const header = this.#header(record, type, size);
    this.#next = {};
    this.#ahead.clear();
    yield { type: 'entry', header };
    if (size > 0) this.#state = { at: 'content', left: size, padding };
    else yield { type: 'done' };
  }

  #size(record: Buffer, type: number): number {
    const inHeader = number(record, 124, 12, 'size');
    const size = isMeta(type) ? inHeader : (this.#next.size ?? inHeader);
    if (size < 0) throw damaged('an entry has a negative size');
    return size;
  }

  #header(record: Buffer, type: number, size: number): TarHeader {
    const pax = { ...this.#global, ...this.#next };
    if (
      (pax.path !== undefined && pax.longName !== undefined) ||
      (pax.linkpath !== undefined && pax.longLink !== undefined)
    )
      throw damaged('a PAX record and a GNU record name one entry or its target');
    // Where a record says the name, what stands in the header is cut anywhere, also in the middle of a character.
    const name = pax.path ?? pax.longName ?? ustarName(record);
    const linkname = pax.linkpath ?? pax.longLink ?? text(record.subarray(157, 257), 'link target');
    const kind = kindOf(type, name);
    const isLink = kind === 'symlink' || kind === 'hardlink';
    if (isLink) checkLinkTarget(linkname, name);
    if (size > 0 && kind !== 'file') throw damaged(`the ${kind} ${quoted(name)} has content`);
    return {
      name,
      kind,
      mode: number(record, 100, 8, 'mode') & 0o7777,
      mtime: pax.mtime ?? number(record, 136, 12, 'mtime'),
      size,
      linkname: isLink ? linkname : '',
    };
  }

  /** Refuses what other tars read differently: of two headers for one entry some take the first, others the last, and some forget one at a header for all. */
  #checkAhead(type: number): void {
    if (type === TYPE.paxGlobal || type === TYPE.gnuVolume) {
      if (this.#ahead.size > 0)
        throw damaged('a header for the whole archive stands between an entry and its PAX or GNU record');
      return;
    }
    if (this.#ahead.has(type))
      throw damaged(`two headers of the type ${quoted(String.fromCharCode(type))} stand before one entry`);
    this.#ahead.add(type);
  }

  #meta(type: number, content: Buffer): void {
    if (type === TYPE.paxGlobal) {
      this.#global = { ...this.#global, ...parsePax(content) };
      if (this.#global.path !== undefined || this.#global.linkpath !== undefined || this.#global.size !== undefined) {
        throw damaged('a global PAX record names a path or a size for all entries');
      }
    } else if (type === TYPE.pax) {
      this.#next = { ...this.#next, ...parsePax(content) };
    } else if (type === TYPE.gnuLongName) {
      this.#next.longName = text(content, 'long name');
    } else if (type === TYPE.gnuLongLink) {
      this.#next.longLink = text(content, 'long link target');
    }
  }
}

function isMeta(type: number): boolean {
  return (
    type === TYPE.pax ||
    type === TYPE.paxGlobal ||
    type === TYPE.gnuLongName ||
    type === TYPE.gnuLongLink ||
    type === TYPE.gnuVolume
  );
}

function kindOf(type: number, name: string): TarKind {
  switch (type) {
    case TYPE.regular:
    case TYPE.oldRegular:
    case TYPE.contiguous:
      // Archives older than the directory type mark directories so.
      return type === TYPE.oldRegular && name.endsWith('/') ? 'directory' : 'file';
    case TYPE.directory:
      return 'directory';
    case TYPE.symlink:
      return 'symlink';
    case TYPE.hardlink:
      return 'hardlink';
    default:
      if (SPECIAL_TYPES.has(type)) return 'special';
      throw damaged(`the entry ${quoted(name)} is of the unknown type ${quoted(String.fromCharCode(type))}`);
  }
}

function ustarName(record: Buffer): string {
  const name = text(record.subarray(0, 100), 'name');
  // "ustar\0": POSIX, with a prefix; GNU ("ustar  ") and older formats keep other things in its place.
  if (record.toString('latin1', 257, 263) !== 'ustar\0') return name;
  const prefix = text(record.subarray(345, 500), 'name');
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** A text field: up to the first NUL, after which nothing else may stand. */
function text(field: Buffer, what: string): string {
  const nul = field.indexOf(0);
  const bytes = nul === -1 ? field : field.subarray(0, nul);
  if (nul !== -1 && !isZero(field.subarray(nul))) throw damaged(`a ${what} has a NUL in it`);
  if (!isUtf8(bytes)) throw damaged(`a ${what} is not UTF-8: ${quoted(bytes.toString('latin1'))}`);
  return bytes.toString();
}

/** A number field: octal, perhaps behind spaces, or base 256 where the first bit is set. */
function number(record: Buffer, offset: number, length: number, what: string): number {
  const first = record[offset] as number;
  if ((first & 0x80) !== 0) {
    let value = BigInt(first === 0xff ? -1 : first & 0x7f);
    for (let i = 1; i < length; i += 1) value = (value << 8n) | BigInt(record[offset + i] as number);
    if (value < BigInt(Number.MIN_SAFE_INTEGER) || value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw damaged(`the ${what} of an entry is impossible: ${value}`);
    }
    return Number(value);
  }
  const field = record.toString('latin1', offset, offset + length);
  const digits = field.replace(/^ +/, '').replace(/[ \0].*$/s, '');
  // Some take a field that begins with a NUL for 0, others go on to the digits behind it.
  if (!/^[0-7]*$/.test(digits) || (digits === '' && !/^[ \0]*$/.test(field)))
    throw damaged(`the ${what} of an entry is not a number: ${quoted(digits || field)}`);
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function checkSum(record: Buffer): void {
  let sum = 8 * 0x20;
  for (let i = 0; i < RECORD_BYTES; i += 1) if (i < 148 || i >= 156) sum += record[i] as number;
  if (sum !== number(record, 148, 8, 'checksum')) throw damaged('the checksum of a tar header is wrong');
}

const ZEROS = Buffer.alloc(64 << 10);

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (!part.equals(ZEROS.subarray(0, part.length))) return false;
  }
  return true;
}

/** The error of an archive that does not hold together. */
export function damaged(what: string): SnapshotError {
  return new SnapshotError('ARCHIVE_DAMAGED', `the archive is damaged: ${what}`, {
    hint: 'take another copy of it, or another backup; nothing was changed',
  });
}
