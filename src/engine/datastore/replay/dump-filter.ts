/**
 * The few lines of a dump that must not reach psql as they are.
 *
 * pg_dump locks psql with `\restrict <key>` of its own; here psql is locked already, under a key the dump cannot know, and takes no backslash command
 * at all. So pg_dump's own pair is dropped, and with it the statements that only repeat what is so anyway and that a plain role may not run. Every
 * dropped line leaves an empty one: psql's line numbers stay the dump's.
 */
import { SnapshotError } from '../../errors.js';
import { SqlScanner } from './sql-scanner.js';
import { UnlockGuard } from './unlock-guard.js';

/** Bytes that one line of SQL may have; pg_dump's longest are 32 KiB pieces of large objects and long literals. COPY data has no limit. */
const LONGEST_LINE = 16 * 1024 * 1024;

/** What pg_dump writes last: a dump without it was cut off. */
const TRAILER = '-- PostgreSQL database dump complete';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const EMPTY_LINE = Buffer.from('\n');

/** What the target is, as far as a dump may know better. */
export interface FilterOptions {
  /** 150018. */
  serverVersionNum: number;
}

/**
 * Filters a plain dump on its way to psql, in constant memory.
 *
 * @throws `REPLAY_FAILED` when the dump leaves the one transaction it is replayed in, is cut off, or holds what could unlock psql
 */
export async function* filterDump(dump: AsyncIterable<Uint8Array>, options: FilterOptions): AsyncGenerator<Buffer> {
  const filter = new DumpFilter(options);
  const guard = new UnlockGuard();
  for await (const chunk of dump) {
    for (const piece of filter.push(chunk)) {
      guard.check(piece);
      yield piece;
    }
  }
  for (const piece of filter.end()) {
    guard.check(piece);
    yield piece;
  }
}

type CopyState = 'none' | 'line start' | 'within line';

class DumpFilter {
  readonly #serverVersionNum: number;
  readonly #scanner = new SqlScanner();
  /** Bytes seen whose line is not complete yet. */
  #rest: Buffer = Buffer.alloc(0);
  /** Whether psql reads COPY data now, and if so, whether the next byte begins a line of it. */
  #data: CopyState = 'none';
  #trailer = false;

  constructor({ serverVersionNum }: FilterOptions) {
    this.#serverVersionNum = serverVersionNum;
  }

  push(chunk: Uint8Array): Buffer[] {
    let bytes = Buffer.concat([this.#rest, chunk]);
    const out: Buffer[] = [];
    for (let taken = -1; taken !== 0 && bytes.length > 0; bytes = bytes.subarray(taken)) {
      taken = this.#data === 'none' ? this.#takeLine(bytes, out) : this.#takeData(bytes, out);
    }
    this.#rest = bytes;
    if (this.#data === 'none' && bytes.length > LONGEST_LINE) throw foreign('a line of the dump is longer than 16 MiB');
    return out.length > 1 ? [Buffer.concat(out)] : out;
  }

  end(): Buffer[] {
    const out = this.#data === 'none' && this.#rest.length > 0 ? this.push(EMPTY_LINE) : [];
    if (this.#data !== 'none' || !this.#trailer || !this.#scanner.atStatementStart) throw cutOff();
    return out;
  }

  /** Takes one line of SQL, or nothing when it is not complete yet. */
  #takeLine(bytes: Buffer, out: Buffer[]): number {
    const end = bytes.indexOf(NEWLINE);
    if (end < 0) return 0;
    const text = bytes.toString('latin1', 0, bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end);
    if (this.#scanner.atStatementStart && isDropped(text, this.#serverVersionNum)) {
      out.push(EMPTY_LINE);
      return end + 1;
    }
    if (this.#scanner.atStatementStart && text === TRAILER) this.#trailer = true;
    const { copy, transaction } = this.#scanner.line(text);
    if (transaction) {
      throw foreign(`the dump begins or ends a transaction where pg_dump never does (${text.trim().slice(0, 60)})`);
    }
    if (copy) this.#data = 'line start';
    out.push(bytes.subarray(0, end + 1));
    return end + 1;
  }

  /** Takes COPY data up to and with the line `\.`; keeps back what may be the beginning of that line. */
  #takeData(bytes: Buffer, out: Buffer[]): number {
    let line = this.#data === 'line start' ? 0 : nextDot(bytes, 0);
    if (line === 0 && !startsWithDot(bytes)) line = nextDot(bytes, 0);
    while (line >= 0) {
      const after = bytes[line + 2] === CARRIAGE_RETURN ? line + 3 : line + 2;
      if (after >= bytes.length) return this.#pass(bytes, line, 'line start', out);
      if (bytes[after] === NEWLINE) return this.#pass(bytes, after + 1, 'none', out);
      line = nextDot(bytes, after);
    }
    const last = bytes.lastIndexOf(NEWLINE) + 1;
    if (last > 0 || this.#data === 'line start') {
      if (last === bytes.length) return this.#pass(bytes, last, 'line start', out);
      if (bytes.length - last === 1 && bytes[last] === 0x5c) return this.#pass(bytes, last, 'line start', out);
    }
    return this.#pass(bytes, bytes.length, 'within line', out);
  }

  #pass(bytes: Buffer, length: number, then: CopyState, out: Buffer[]): number {
    if (length > 0) {
      out.push(bytes.subarray(0, length));
      this.#data = then;
    }
    return length;
  }
}

/** Where the next line that begins with `\.` begins, or -1. */
function nextDot(bytes: Buffer, from: number): number {
  const found = bytes.indexOf('\n\\.', from, 'latin1');
  return found < 0 ? -1 : found + 1;
}

function startsWithDot(bytes: Buffer): boolean {
  return bytes[0] === 0x5c && bytes[1] === 0x2e;
}

/** Whether a line at the start of a statement is one of those that must not reach psql. */
function isDropped(text: string, serverVersionNum: number): boolean {
  switch (text[0]) {
    case '\\': // pg_dump's own lock
      return /^\\(?:un)?restrict [A-Za-z0-9]+$/.test(text);
    case 'B': // with COMMIT, around large objects; the replay is one transaction anyway
      return text === 'BEGIN;';
    case 'C': // plpgsql is there already, and belongs to the superuser
      return text === 'COMMIT;' || /^COMMENT ON EXTENSION plpgsql IS '(?:[^']|'')*';$/.test(text);
    case 'D':
      return text === 'DROP EXTENSION IF EXISTS plpgsql;';
    case 'S': // pg_dump 17 and newer set it whatever server they speak with
      return text === 'SET transaction_timeout = 0;' && serverVersionNum < 170_000;
    default:
      return false;
  }
}

function cutOff(): SnapshotError {
  return new SnapshotError('REPLAY_FAILED', 'the dump in the archive is cut off: it does not end as pg_dump ends one', {
    hint: 'the archive is damaged, or was made from a dump that failed; use another one',
  });
}

function foreign(what: string): SnapshotError {
  return new SnapshotError('REPLAY_FAILED', what, {
    hint: 'the archive was not made by leoflow, or was changed afterwards',
  });
}
