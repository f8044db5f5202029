/**
 * Examination: what exactly is damaged in an archive of which is known that something is.
 *
 *     archives of ours:  pieces of the file ─▶ workers inflate what they can ─▶ entries, block by block; each block begins anew
 *     any other:         one stream, as far as it goes
 *     in the end:        what came out against SHA256SUMS                       names every file that is not as it was, or not there
 *
 * A check stops at the first thing that is wrong. This goes on behind it, and believes nothing but checksums: what comes out of a damaged member may be
 * right, and then it is.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  type ArchivePath,
  type ChecksumLedger,
  checksumLine,
  damaged,
  ENTRY,
  HEADER_BYTES,
  MAX_MEMBER_BYTES,
  type Member,
  type Piece,
  parseHeader,
  placeOf,
  RECORD_BYTES,
  readMember,
  readStream,
  surveyMembers,
  type TarEvent,
  type TarHeader,
  TarReader,
  TRAILER_BYTES,
} from './archive/index.js';
import { SnapshotError, throwIfAborted } from './errors.js';
import { inOrder, type WorkerPool } from './pool.js';
import type { DamagedEntry, Problem } from './verify-options.js';
import type { SalvageResult } from './workspace/index.js';

/** As many problems and names are listed. */
const LISTED = 100;

export interface ExaminationOptions {
  fd: number;
  size: number;
  /** Whether it should consist of members of ours. */
  indexed: boolean;
  pool: WorkerPool;
  /** Empty. */
  ledger: ChecksumLedger;
  signal: AbortSignal;
}

/** Examines an archive once. */
export class Examination {
  /** The first of what is wrong. */
  readonly problems: Problem[] = [];
  problemCount = 0;
  /** The first entries that are damaged. */
  readonly entries: DamagedEntry[] = [];
  entryCount = 0;
  readonly #options: ExaminationOptions;
  /** The entry whose content is coming. */
  #entry: OpenEntry | null = null;
  /** Whether something came out of a piece that nothing vouches for: then only SHA256SUMS says what it is worth. */
  #isSalvage = false;
  /** Of pieces like that: what is in them, for where SHA256SUMS cannot be gone by. */
  readonly #suspects = new Map<string, DamagedEntry & { isFile: boolean }>();
  #list: 'none' | 'whole' | 'damaged' = 'none';

  constructor(options: ExaminationOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { indexed, ledger, signal } = this.#options;
    if (indexed) await this.#pieces();
    else await this.#stream();
    this.#breakOff();
    if (this.#list === 'damaged') this.#suspect(ENTRY.checksums, 'may be damaged', true);
    for (const { name, what, isFile } of this.#suspects.values()) {
      if (this.#list !== 'whole' || !isFile) this.#addEntry({ name, what });
    }
    if (this.#list !== 'whole') return;
    try {
      for await (const { name, what } of ledger.differences(signal)) {
        if (!this.#isSalvage) this.#addEntry({ name, what });
        else if (what === 'is missing') this.#addEntry({ name, what: 'cannot be read' });
        else if (what === 'differs') this.#addEntry({ name, what });
      }
    } catch (error) {
      throwIfAborted(signal);
      this.#addProblem(error);
    }
  }

  async #pieces(): Promise<void> {
    const { fd, size, signal, pool } = this.#options;
    let reader: TarReader | null = null;
    for await (const { piece, result } of inOrder(this.#jobs(surveyMembers(fd, size, signal)), pool.workers + 1)) {
      throwIfAborted(signal);
      if (piece.type === 'gap') this.#addProblem(unreadable(piece, size));
      else if (result?.problem != null) this.#addProblem(result.problem);
      const proven = result?.proven === true;
      this.#isSalvage ||= !proven;
      const block = result === null ? EMPTY : Buffer.from(result.block.buffer, 0, result.block.length);
      const kind = piece.type === 'member' ? piece.member.kind : kindOfGap(fd, piece, this.#entry !== null);
      if (kind !== 'continuation') {
        this.#breakOff();
        reader = this.#takeBlock(block, proven);
      } else if (reader !== null) {
        if (!proven) this.#suspectOpen();
        if (!this.#take(reader, block)) reader = null;
      }
    }
  }

  async *#jobs(
    pieces: AsyncIterable<Piece>,
  ): AsyncGenerator<() => Promise<{ piece: Piece; result: SalvageResult | null }>> {
    const { fd, pool } = this.#options;
    for await (const piece of pieces) {
      const member = piece.type === 'member' ? piece.member : asMember(piece);
      yield async () => ({ piece, result: member === null ? null : await pool.run('salvage', { fd, member }) });
    }
  }

  /**
   * Takes a block that begins with an entry; of one that nothing vouches for, whatever entries can be found in it.
   *
   * @returns the reader, for what continues it
   */
  #takeBlock(block: Buffer, proven: boolean): TarReader | null {
    for (let from = 0; ; ) {
      const reader = new TarReader();
      if (this.#take(reader, block.subarray(from), !proven)) return reader;
      if (proven) return null;
      this.#breakOff();
      const end = from + Math.max(reader.position, RECORD_BYTES);
      this.#suspectHeader(block.subarray(end - RECORD_BYTES, end));
      from = end;
      while (from < block.length && block.toString('latin1', from + 257, from + 262) !== 'ustar') from += RECORD_BYTES;
      if (from >= block.length) return null;
    }
  }

  /** @returns whether the bytes were understood */
  #take(reader: TarReader, bytes: Buffer, suspicious = false): boolean {
    try {
      for (const event of reader.push(bytes)) {
        this.#see(event);
        if (suspicious && event.type === 'entry') this.#suspectOpen();
      }
      return true;
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      // Of a damaged piece it was said already, and what stands behind it may not make sense without it.
      if (!this.#isSalvage) this.#addProblem(error);
      return false;
    }
  }

  async #stream(): Promise<void> {
    const { fd, size, signal } = this.#options;
    try {
      for await (const event of readStream(fd, size, signal)) this.#see(event);
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof SnapshotError)) throw error;
      this.#isSalvage = true;
      this.#addProblem(error);
    }
  }

  #see(event: TarEvent): void {
    const { ledger } = this.#options;
    if (event.type === 'entry') {
      const line = lineOf(event.header);
      const isList = line === ENTRY.checksums && !ledger.hasList;
      if (isList) ledger.beginList();
      this.#entry = {
        header: event.header,
        line: line === ENTRY.checksums ? null : line,
        isList,
        hash: createHash('sha256'),
      };
    } else if (event.type === 'content') {
      this.#entry?.hash.update(event.bytes);
      if (this.#entry?.isList) ledger.addListed(event.bytes);
    } else {
      const entry = this.#entry;
      this.#entry = null;
      if (entry?.isList && this.#list === 'none') this.#list = 'whole';
      if (entry?.line != null) ledger.addFound(checksumLine(entry.hash.digest('hex'), entry.line));
    }
  }

  /** The entry that is being taken will not become whole. */
  #breakOff(): void {
    const entry = this.#entry;
    this.#entry = null;
    if (entry === null) return;
    if (entry.isList) this.#list = 'damaged';
    else this.#suspect(entry.header.name, 'cannot be read', entry.header.kind === 'file');
  }

  /** What is being taken is a file: of anything else the header is all, and has a checksum of its own. */
  #suspectOpen(): void {
    if (this.#entry?.header.kind !== 'file') return;
    if (this.#entry.isList) this.#list = 'damaged';
    this.#suspect(this.#entry.header.name, 'may be damaged', true);
  }

  /**
   * A header that is damaged: its name may be right all the same. Its type is believed only where the rest agrees, since what is a file is left to
   * SHA256SUMS where that is whole.
   */
  #suspectHeader(record: Buffer): void {
    if (record.length !== RECORD_BYTES) return;
    const name = textAt(record, 0);
    if (!name.startsWith(ENTRY.workspace)) return;
    const type = record[156];
    const isDirectory = type === DIRECTORY_TYPE && name.endsWith('/');
    const isLink = type === LINK_TYPE && textAt(record, 157) !== '';
    this.#suspect(name, 'cannot be read', !isDirectory && !isLink);
  }

  #suspect(name: string, what: DamagedEntry['what'], isFile: boolean): void {
    if (this.#suspects.size < LISTED || this.#suspects.has(name)) this.#suspects.set(name, { name, what, isFile });
  }

  #addEntry(entry: DamagedEntry): void {
    this.entryCount += 1;
    if (this.entries.length < LISTED) this.entries.push(entry);
  }

  #addProblem(error: unknown): void {
    if (!isProblem(error)) throw error;
    this.problemCount += 1;
    if (this.problems.length < LISTED) this.problems.push({ code: error.code, message: error.message });
  }
}

interface OpenEntry {
  header: TarHeader;
  /** Its name in SHA256SUMS; null where it stands in none. */
  line: ArchivePath | null;
  isList: boolean;
  hash: Hash;
}

const EMPTY = Buffer.alloc(0);
/** Types of a symbolic link and of a directory in a tar header. */
const LINK_TYPE = 0x32;
const DIRECTORY_TYPE = 0x35;

/** What a field of 100 bytes in a tar header says. */
function textAt(record: Buffer, offset: number): string {
  return record.toString('utf8', offset, offset + 100).replace(/\0.*$/s, '');
}

/** An entry's name as SHA256SUMS has it; null where it stands in none. */
function lineOf({ name, kind }: TarHeader): ArchivePath | null {
  try {
    placeOf(name, 'other');
    return kind === 'file' ? (name.replace(/^(\.\/)+/, '') as ArchivePath) : null;
  } catch (error) {
    // A name that no archive may hold; the check has refused it.
    if (error instanceof SnapshotError) return null;
    throw error;
  }
}

function isProblem(error: unknown): error is Problem {
  return (
    error instanceof SnapshotError ||
    (typeof error === 'object' && error !== null && !(error instanceof Error) && 'code' in error)
  );
}

/** What a gap would be, were it a single member whose header is damaged; null where it has not the size of one. */
function asMember({ from, to }: Gap): Member | null {
  const size = to - from;
  if (size > MAX_MEMBER_BYTES || size < HEADER_BYTES + TRAILER_BYTES) return null;
  return { offset: from, size, kind: 'entries', blockBytes: 0 };
}

/** Its own word for it, where that is left; else by what came before. */
function kindOfGap(fd: number, gap: Gap, isWithinFile: boolean): Member['kind'] {
  const member = asMember(gap);
  const said = member === null ? null : parseHeader(readMember(fd, { ...member, size: HEADER_BYTES }));
  return said?.kind ?? (isWithinFile ? 'continuation' : 'entries');
}

function unreadable({ from, to }: Gap, size: number): SnapshotError {
  return damaged(
    to === size
      ? `from byte ${from} on there is nothing in it that can be read`
      : `from byte ${from} to byte ${to} there is no member as it should be`,
  );
}

type Gap = Piece & { type: 'gap' };
