/**
 * Cutting the workspace into blocks.
 *
 * Small entries are grouped, whole ones only, to about a block; a file larger than that stands alone and is cut into segments. Where
 * the cuts fall depends on the entries alone, never on who scanned them or when: the same tree gives the same bytes.
 */
import { BLOCK_BYTES, padded, RECORD_BYTES } from '../archive/index.js';
import { type EntryRow, type EntryTable, joinTables, KINDS, pathStart, rowOf, sliceTable } from './entry-table.js';

/** What is packed at once. */
export type Cut =
  /** entries for one block; the table has buffers of its own */
  | { type: 'group'; table: EntryTable }
  /** a file that takes several */
  | { type: 'large'; row: EntryRow };

/** Cuts entries, keeping their order. */
export async function* cutBlocks(tables: AsyncIterable<EntryTable>): AsyncGenerator<Cut> {
  let pieces: EntryTable[] = [];
  let bytes = 0;
  const group = (): Cut[] => {
    const cut: Cut[] = pieces.length === 0 ? [] : [{ type: 'group', table: joinTables(pieces) }];
    pieces = [];
    bytes = 0;
    return cut;
  };
  // A table is gone when the next one is asked for.
  const take = (table: EntryTable, from: number, to: number) => pieces.push(joinTables([sliceTable(table, from, to)]));
  for await (const table of tables) {
    let from = 0;
    for (let row = 0; row < table.ends.length; row += 1) {
      const size = KINDS[table.kinds[row] as number] === 'file' ? (table.sizes[row] as number) : 0;
      const cost = headerBytes(table, row) + padded(size);
      if (size <= BLOCK_BYTES && bytes + cost <= BLOCK_BYTES + RECORD_BYTES) {
        bytes += cost;
        continue;
      }
      if (row > from) take(table, from, row);
      yield* group();
      from = row;
      bytes = cost;
      if (size <= BLOCK_BYTES) continue;
      yield { type: 'large', row: rowOf(table, row) };
      from = row + 1;
      bytes = 0;
    }
    if (from < table.ends.length) take(table, from, table.ends.length);
  }
  yield* group();
}

/** Longest names and link targets that the header of an entry surely holds by itself, without PAX records: `workspace/` goes in front of a name. */
const PLAIN_NAME = 88;
const PLAIN_TARGET = 100;

/** What the header of an entry takes in its block, or a little more (docs/format.md, "What we write where"). PAX records of a time are left out of account. */
function headerBytes(table: EntryTable, row: number): number {
  const start = pathStart(table, row);
  const end = table.ends[row] as number;
  const target = KINDS[table.kinds[row] as number] === 'symlink' ? (table.sizes[row] as number) : 0;
  if (end - start <= PLAIN_NAME && target <= PLAIN_TARGET && isAscii(table.paths, start, end)) return RECORD_BYTES;
  // A header for the PAX records, the records (a name, a target, and less than a hundred bytes around them), and the header itself.
  return 2 * RECORD_BYTES + padded(end - start + target + 100);
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((bytes[at] as number) >= 0x80) return false;
  return true;
}
