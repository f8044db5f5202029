/**
 * Entries of the workspace as columns: a million of them cross threads twice, and a column costs a fraction of an object per row. Paths are bytes on the way,
 * which are copied in one go, not string by string.
 */
import type { EntryKind } from '../archive/index.js';

/** Rows of files, directories and symlinks, in path order. All columns have the same length. */
export interface EntryTable {
  /** One behind the other, in UTF-8; relative to the workspace, empty for the workspace itself. */
  paths: Uint8Array;
  /** Where in `paths` each of them ends. */
  ends: Uint32Array;
  /** Index into {@link KINDS}. */
  kinds: Uint8Array;
  /** Permission bits. */
  modes: Uint16Array;
  /** Bytes of a file's content, or of a symlink's target; 0 for a directory. */
  sizes: Float64Array;
  /** Modification time: whole seconds since 1970, towards the past, and the nanoseconds after them. 64 bits of nanoseconds end in 2262. */
  seconds: Float64Array;
  nanoseconds: Uint32Array;
}

/** In nanoseconds. */
const SECOND = 1_000_000_000n;

/** What a row can be. */
export const KINDS = ['file', 'directory', 'symlink'] as const satisfies readonly EntryKind[];

/** One row. */
export interface EntryRow {
  path: string;
  kind: EntryKind;
  mode: number;
  size: number;
  mtimeNs: bigint;
}

/** Rows `from` to `to` (exclusive): a view, except for the ends. */
export function sliceTable(table: EntryTable, from: number, to: number): EntryTable {
  if (from === 0 && to === table.ends.length) return table;
  const begin = pathStart(table, from);
  return {
    paths: table.paths.subarray(begin, pathStart(table, to)),
    ends: table.ends.subarray(from, to).map((end) => end - begin),
    kinds: table.kinds.subarray(from, to),
    modes: table.modes.subarray(from, to),
    sizes: table.sizes.subarray(from, to),
    seconds: table.seconds.subarray(from, to),
    nanoseconds: table.nanoseconds.subarray(from, to),
  };
}

/** One row of a table. @throws RangeError outside of it */
export function rowOf(table: EntryTable, index: number): EntryRow {
  const end = table.ends[index];
  const kind = KINDS[table.kinds[index] as number];
  if (end === undefined || kind === undefined) throw new RangeError(`no row ${index}`);
  const { buffer, byteOffset } = table.paths;
  const start = pathStart(table, index);
  return {
    path: Buffer.from(buffer, byteOffset + start, end - start).toString(),
    kind,
    mode: table.modes[index] as number,
    size: table.sizes[index] as number,
    mtimeNs: BigInt(table.seconds[index] as number) * SECOND + BigInt(table.nanoseconds[index] as number),
  };
}

/** The rows of a table, in their order. */
export function* rowsOf(table: EntryTable): Generator<EntryRow> {
  for (let index = 0; index < table.ends.length; index += 1) yield rowOf(table, index);
}

/** Where the path of a row begins in `paths`; for the row behind the last one, where that one ends. */
export function pathStart(table: EntryTable, index: number): number {
  return index === 0 ? 0 : (table.ends[index - 1] as number);
}

/** A table of these rows, in their order. */
export function tableOf(rows: readonly EntryRow[]): EntryTable {
  const text = rows.map((row) => row.path).join('');
  const paths = Uint8Array.from(Buffer.from(text));
  const bytesOf = paths.length === text.length ? (path: string) => path.length : Buffer.byteLength;
  let end = 0;
  return {
    paths,
    ends: Uint32Array.from(rows, (row) => {
      end += bytesOf(row.path);
      return end;
    }),
    kinds: Uint8Array.from(rows, (row) => KINDS.indexOf(row.kind)),
    modes: Uint16Array.from(rows, (row) => row.mode),
    sizes: Float64Array.from(rows, (row) => row.size),
    seconds: Float64Array.from(rows, (row) => wholeSeconds(row.mtimeNs)),
    nanoseconds: Uint32Array.from(rows, (row) => Number(((row.mtimeNs % SECOND) + SECOND) % SECOND)),
  };
}

/** One table of several, in buffers of its own. */
export function joinTables(tables: readonly EntryTable[]): EntryTable {
  const length = tables.reduce((sum, table) => sum + table.ends.length, 0);
  const joined: EntryTable = {
    paths: new Uint8Array(tables.reduce((sum, table) => sum + table.paths.length, 0)),
    ends: new Uint32Array(length),
    kinds: new Uint8Array(length),
    modes: new Uint16Array(length),
    sizes: new Float64Array(length),
    seconds: new Float64Array(length),
    nanoseconds: new Uint32Array(length),
  };
  let at = 0;
  let bytes = 0;
  for (const table of tables) {
    const before = bytes;
    joined.paths.set(table.paths, bytes);
    joined.ends.set(
      table.ends.map((end) => before + end),
      at,
    );
    bytes += table.paths.length;
    joined.kinds.set(table.kinds, at);
    joined.modes.set(table.modes, at);
    joined.sizes.set(table.sizes, at);
    joined.seconds.set(table.seconds, at);
    joined.nanoseconds.set(table.nanoseconds, at);
    at += table.ends.length;
  }
  return joined;
}

/** What a table that has buffers of its own gives away with itself. */
export function buffersOf(table: EntryTable): ArrayBuffer[] {
  return Object.values(table).map(({ buffer }) => buffer as ArrayBuffer);
}

/** Whole seconds of a time in nanoseconds, towards the past. */
export function wholeSeconds(mtimeNs: bigint): number {
  const seconds = mtimeNs / SECOND;
  return Number(mtimeNs < 0n && seconds * SECOND !== mtimeNs ? seconds - 1n : seconds);
}
