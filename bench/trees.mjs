/**
 * The trees and rows that are backed up, the same in every run: all content follows from a seed and the file's number.
 */
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { noise, randomOf } from '../scripts/sample/random.mjs';
import { csvTable, pythonSource, sentence } from '../scripts/sample/text.mjs';

/** Changes whenever what is generated changes, so that an old tree is not taken for a new one. */
const GENERATION = 1;
const MB = 1_000_000;

/** A kind of file in a tree. @typedef {{ folder: string; files: number; bytes: number; make: (seed: string, bytes: number) => string | Buffer }} Part */

const source = (/** @type {string} */ seed, /** @type {number} */ bytes) => pythonSource(randomOf(seed), bytes);
const table = (/** @type {string} */ seed, /** @type {number} */ bytes) => csvTable(randomOf(seed), bytes);

/**
 * What the trees consist of. Sizes are means; those of single files vary from a quarter to seven quarters.
 *
 * @param {number} scale 1 is the full size
 * @returns {Record<string, Part[]>}
 */
function treesOf(scale) {
  const files = (/** @type {number} */ count) => Math.max(1, Math.round(count * scale));
  return {
    // 2.2 GB in 52,010 files: source, CSV and what no compressor makes smaller, some of it in files of many blocks
    mixed: [
      { folder: 'dags', files: files(42_000), bytes: 8_000, make: source },
      { folder: 'data', files: files(8_400), bytes: 80_000, make: table },
      { folder: 'images', files: files(1_600), bytes: 300_000, make: noise },
      { folder: 'exports', files: files(6), bytes: 64 * MB, make: table },
      { folder: 'models', files: files(4), bytes: 80 * MB, make: noise },
    ],
    // 300,000 files of about a kilobyte
    small: [{ folder: 'dags', files: files(300_000), bytes: 1_000, make: source }],
  };
}

/** Files in one directory. */
const FANOUT = 200;

/**
 * Makes a tree, unless it is there.
 *
 * @param {string} directory where trees are kept
 * @param {'mixed' | 'small'} name
 * @param {number} scale
 * @returns {{ root: string; files: number; bytes: number }} the tree, in a directory called `workspace`
 */
export function makeTree(directory, name, scale) {
  const place = join(directory, `${name}-${scale}-${GENERATION}`);
  const root = join(place, 'workspace');
  const counted = join(place, 'tree.json');
  if (existsSync(counted)) return { root, ...JSON.parse(readFileSync(counted, 'utf8')) };
  rmSync(place, { recursive: true, force: true });
  const tree = { files: 0, bytes: 0 };
  for (const { folder, files: count, bytes, make } of treesOf(scale)[name]) {
    for (let n = 0; n < count; n += 1) {
      const directory = join(root, folder, String(Math.floor(n / FANOUT)).padStart(4, '0'));
      if (n % FANOUT === 0) mkdirSync(directory, { recursive: true });
      const seed = `${name}/${folder}/${n}`;
      const size = count === 1 ? bytes : Math.round(bytes * (0.25 + randomOf(`size ${seed}`).int(1500) / 1000));
      const content = make(seed, size);
      writeFileSync(join(directory, `${folder}_${n}${EXTENSION.get(make)}`), content);
      tree.files += 1;
      // What is text is ASCII.
      tree.bytes += content.length;
    }
  }
  writeFileSync(counted, JSON.stringify(tree));
  return { root, ...tree };
}

const EXTENSION = new Map(
  /** @type {[Part['make'], string][]} */ ([
    [source, '.py'],
    [table, '.csv'],
    [noise, '.bin'],
  ]),
);

/**
 * Rows for `COPY xcom FROM STDIN`, unless they are there.
 *
 * @param {string} directory
 * @param {number} bytes
 * @returns {Promise<string>} the file
 */
export async function makeRows(directory, bytes) {
  const file = join(directory, `rows-${bytes}-${GENERATION}.copy`);
  if (existsSync(file)) return file;
  await pipeline(
    function* () {
      const random = randomOf('rows');
      for (let [id, size] = [0, 0]; size < bytes; id += 1) {
        const value = {
          rows: random.int(100_000),
          at: random.int(2 ** 31),
          message: sentence(random, 8 + random.int(24)),
        };
        const row = `${id}\treturn_value_${random.int(40)}\t${JSON.stringify(value)}\n`;
        size += row.length;
        yield row;
      }
    },
    createWriteStream(`${file}.unfinished`),
  );
  renameSync(`${file}.unfinished`, file);
  return file;
}
