/**
 * The rows of each table in a plain dump, counted as it goes by.
 *
 * pg_dump writes rows as COPY data, a line each; with `--inserts`, which Leoflow never asks for, as INSERT statements, a line for each row again. What looks
 * like either inside of a function's body or a literal is told by the scanner that the replay goes by.
 */
import { SnapshotError } from '../../errors.js';
import { SqlScanner } from './sql-scanner.js';

/** As in the replay: no line of SQL is longer. */
const LONGEST_LINE = 16 << 20;
/** Of a statement that goes over several lines, so much is enough to know its table. */
const BEGINNING = 4096;
const NEWLINE = 0x0a;
const NAME = String.raw`((?:"(?:[^"]|"")*"|[^\s."(;]+)(?:\.(?:"(?:[^"]|"")*"|[^\s."(;]+))*)`;
const COPY = new RegExp(String.raw`^\s*COPY\s+${NAME}`, 'i');
const INSERT = new RegExp(String.raw`^\s*INSERT\s+INTO\s+${NAME}`, 'i');

/** Takes a dump in pieces, cut anywhere, in constant memory but for the names of the tables. */
export class RowCounter {
  /** Rows by table, `public.dag`, in the order of the dump; a name is quoted where pg_dump quotes it. */
  readonly tables = new Map<string, number>();
  readonly #scanner = new SqlScanner();
  /** The beginning of a line that is not complete yet. */
  #rest: Buffer = Buffer.alloc(0);
  /** What the rows that come now belong to. */
  #copying: string | null = null;
  #inserting: string | null = null;
  #rows = 0;
  #beginning = '';

  /** @throws DUMP_INVALID */
  push(chunk: Uint8Array): void {
    let bytes =
      this.#rest.length === 0
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
        : Buffer.concat([this.#rest, chunk]);
    for (let end = bytes.indexOf(NEWLINE); end !== -1; ) {
      let from = 0;
      // Rows first: of a large dump nearly all lines are.
      for (; this.#copying !== null && end !== -1; end = bytes.indexOf(NEWLINE, from)) {
        if (isEnd(bytes, from, end)) this.#endCopy();
        else this.#rows += 1;
        from = end + 1;
      }
      for (; this.#copying === null && end !== -1; end = bytes.indexOf(NEWLINE, from)) {
        this.#line(bytes.toString('latin1', from, end));
        from = end + 1;
      }
      bytes = bytes.subarray(from);
      end = bytes.indexOf(NEWLINE);
    }
    if (this.#copying !== null && bytes.length > LONGEST_LINE) {
      // A row as any other; that it is too long for the end of the data is all that matters.
      bytes = bytes.subarray(-8);
    } else if (bytes.length > LONGEST_LINE) {
      throw new SnapshotError('DUMP_INVALID', 'a line of the dump is longer than 16 MiB', {
        hint: 'the archive was not made by leoflow, or was changed afterwards',
      });
    }
    this.#rest = Buffer.from(bytes);
  }

  get rows(): number {
    let sum = 0;
    for (const rows of this.tables.values()) sum += rows;
    return sum;
  }

  #line(text: string): void {
    const begins = this.#scanner.atStatementStart;
    const inCode = this.#scanner.inCode;
    if (begins) {
      this.#beginning = '';
      this.#inserting = null;
    }
    const { copy } = this.#scanner.line(text);
    if (this.#beginning.length < BEGINNING) this.#beginning += `${text.slice(0, BEGINNING)}\n`;
    if (copy) {
      this.#copying = nameIn(this.#beginning, COPY) ?? '?';
      this.#rows = 0;
      return;
    }
    if (begins) this.#inserting = nameIn(text, INSERT);
    if (this.#inserting === null || !inCode) return;
    // `INSERT INTO t VALUES (…);`, or with --rows-per-insert a row on each line behind `INSERT INTO t VALUES`
    if (begins ? /\bVALUES\s*(\(|;)/i.test(text) : /^\s*\(/.test(text)) this.#add(this.#inserting, 1);
  }

  #endCopy(): void {
    if (this.#copying !== null) this.#add(this.#copying, this.#rows);
    this.#copying = null;
    this.#beginning = '';
  }

  #add(table: string, rows: number): void {
    this.tables.set(table, (this.tables.get(table) ?? 0) + rows);
  }
}

/** Whether a line is `\.`, the end of COPY data. */
function isEnd(bytes: Buffer, from: number, end: number): boolean {
  const length = end - from;
  return (
    (length === 2 || (length === 3 && bytes[end - 1] === 0x0d)) && bytes[from] === 0x5c && bytes[from + 1] === 0x2e
  );
}

function nameIn(text: string, statement: RegExp): string | null {
  const name = statement.exec(text)?.[1];
  return name === undefined ? null : Buffer.from(name, 'latin1').toString();
}
