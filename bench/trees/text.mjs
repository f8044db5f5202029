/**
 * Text as fast as the disk takes it. Making it up word by word yields some 30 MB/s, so each kind is made up once, four megabytes of it, and files
 * are pieces of that: from places that follow from the file's number, cut at line ends.
 *
 * A compressor with a window of 32 kB sees no repetition in it, and neither does restic, which looks for equal stretches of half a megabyte and more.
 */
import { randomOf } from '../../scripts/sample/random.mjs';
import {
  csvTable,
  jsonLines,
  logLines,
  notebook,
  pythonSource,
  sqlFile,
  yamlFile,
} from '../../scripts/sample/text.mjs';

/** @typedef {import('../../scripts/sample/random.mjs').Random} Random */

const POOL_BYTES = 4 << 20;
/** No piece is longer: far above a compressor's window, far below restic's chunks. */
const PIECE_BYTES = 128 << 10;

/** How text of each kind is made up, so many bytes at a time: a module speaks of few things, a table of many. */
const KINDS = {
  python: { make: pythonSource, unit: 8_000 },
  yaml: { make: yamlFile, unit: 3_000 },
  sql: { make: sqlFile, unit: 5_000 },
  csv: { make: csvTable, unit: 200_000 },
  jsonl: { make: jsonLines, unit: 200_000 },
  log: { make: logLines, unit: 200_000 },
  notebook: { make: notebook, unit: 40_000 },
};

/** @typedef {keyof typeof KINDS} TextKind */

/** @type {Map<TextKind, Buffer>} */
const pools = new Map();

/** @param {TextKind} kind */
function poolOf(kind) {
  const made = pools.get(kind);
  if (made !== undefined) return made;
  const { make, unit } = KINDS[kind];
  const random = randomOf(`pool ${kind}`);
  const parts = [];
  for (let size = 0; size < POOL_BYTES; size += parts.at(-1)?.length ?? 0) parts.push(make(random, unit));
  const pool = Buffer.from(parts.join(''));
  pools.set(kind, pool);
  return pool;
}

/**
 * Text of one kind, without end, in pieces that belong to the pool and must not be written to.
 *
 * @param {TextKind} kind
 * @param {Random} random
 * @returns {Generator<Buffer, never>}
 */
export function* text(kind, random) {
  const pool = poolOf(kind);
  for (;;) {
    const start = random.int(pool.length - PIECE_BYTES);
    const from = pool.indexOf(10, start) + 1;
    const end = pool.lastIndexOf(10, from + (PIECE_BYTES >> 1) + random.int(PIECE_BYTES >> 1)) + 1;
    yield pool.subarray(from, Math.max(end, from + 1));
  }
}
