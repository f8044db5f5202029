/**
 * Writes a tree to disk. Name, size and content of every file follow from its number, so a tree that was broken off goes on where it stopped, and
 * one that is complete is there for the next time.
 */
import { createCipheriv, createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writevSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { randomOf } from '../../scripts/sample/random.mjs';
import { EXCLUDED, partsOf } from './profiles.mjs';
import { text } from './text.mjs';

/** Changes whenever what is generated changes, so that an old tree is not taken for a new one. */
const GENERATION = 3;
/** Written between two looks at the abort signal and two notes of how far it is. */
const STEP_BYTES = 64e6;
const STEP_FILES = 2_000;
const ZEROS = Buffer.alloc(1 << 20);

/** A tree that is there. Without what no archive holds. @typedef {{ name: string; root: string; files: number; bytes: number }} Tree */
/** @typedef {import('./profiles.mjs').ProfileName} ProfileName */
/** How far it is. @typedef {{ next: number; files: number; bytes: number; done: boolean }} Progress */

/**
 * Makes a tree, unless it is there.
 *
 * @param {object} options
 * @param {string} options.directory where trees are kept
 * @param {ProfileName} options.profile
 * @param {number} options.bytes
 * @param {number} [options.files]
 * @param {AbortSignal} [options.signal]
 * @param {(progress: Progress) => void} [options.onProgress]
 * @returns {Promise<Tree>} in a directory called `workspace`
 */
export async function makeTree({ directory, profile, bytes, files, signal, onProgress }) {
  const place = join(directory, `${profile}-${bytes}-${files ?? 'usual'}-${GENERATION}`);
  const root = join(place, 'workspace');
  const note = join(place, 'progress.json');
  if (!existsSync(note)) {
    rmSync(place, { recursive: true, force: true });
    mkdirSync(root, { recursive: true });
  }
  /** @type {Progress} */
  let progress = existsSync(note)
    ? JSON.parse(readFileSync(note, 'utf8'))
    : { next: 0, files: 0, bytes: 0, done: false };
  const keep = (/** @type {Progress} */ now) => {
    progress = { ...now };
    writeFileSync(`${note}.new`, JSON.stringify(progress));
    renameSync(`${note}.new`, note);
    onProgress?.(progress);
  };
  const { next } = progress;
  const now = { ...progress };
  if (!progress.done) {
    let number = 0;
    for (const part of partsOf(profile, bytes, files)) {
      for (let n = 0; n < part.files; n += 1, number += 1) {
        if (number < next) continue;
        for (const written of writeFile(root, part, n)) {
          now.bytes += written;
          if (now.bytes - progress.bytes > STEP_BYTES) {
            await breathe();
            signal?.throwIfAborted();
          }
        }
        now.files += 1;
        now.next = number + 1;
        if (now.bytes - progress.bytes > STEP_BYTES || now.files - progress.files > STEP_FILES) {
          keep(now);
          await breathe();
          signal?.throwIfAborted();
        }
      }
    }
    keep({ ...now, done: true });
  }
  return { name: profile, root, files: progress.files, bytes: progress.bytes };
}

/**
 * Writes one file, and beside some of them what no archive holds.
 *
 * @param {string} root
 * @param {import('./profiles.mjs').SizedPart} part
 * @param {number} n its number in the part
 * @returns {Generator<number>} bytes written, a megabyte or so at a time
 */
function* writeFile(root, part, n) {
  const directory = join(root, part.folder, ...directoriesOf(part, n));
  if (n % part.fanout === 0) mkdirSync(directory, { recursive: true });
  const random = randomOf(`${part.folder}/${n}`);
  const size = sizeOf(part, n);
  const fd = openSync(join(directory, `${part.folder}_${n}${part.extension}`), 'w');
  try {
    const head = Buffer.from(`# ${part.folder} ${n}\n`);
    const pieces = part.kind === 'noise' ? noise(`${part.folder}/${n}`, size) : text(part.kind, random);
    /** @type {Buffer[]} */
    let batch = [head.subarray(0, size)];
    let batched = batch[0]?.length ?? 0;
    let left = size - batched;
    while (left > 0) {
      const piece = pieces.next().value.subarray(0, left);
      batch.push(piece);
      batched += piece.length;
      left -= piece.length;
      if (batched >= 1 << 20) {
        writeAll(fd, batch, batched);
        yield batched;
        batch = [];
        batched = 0;
      }
    }
    writeAll(fd, batch, batched);
    yield batched;
  } finally {
    closeSync(fd);
  }
  for (const { path, every } of EXCLUDED) {
    if (n % every !== every - 1) continue;
    const excluded = join(directory, path);
    mkdirSync(dirname(excluded), { recursive: true });
    writeFileSync(excluded, `never archived, ${n}\n`.repeat(100));
  }
}

/** @param {number} fd @param {Buffer[]} batch @param {number} bytes */
function writeAll(fd, batch, bytes) {
  if (bytes === 0) return;
  const written = writevSync(fd, batch);
  if (written !== bytes) throw new Error(`the disk took ${written} of ${bytes} bytes`);
}

const WORDS = 'billing crm growth ledger logistics platform pricing risk sales search shop stock'.split(' ');

/**
 * Directories between a part's folder and its file: the same for `fanout` files in a row.
 *
 * @param {import('./profiles.mjs').Part} part
 * @param {number} n
 */
function directoriesOf({ depth, fanout }, n) {
  const number = Math.floor(n / fanout);
  if (depth === 0) return [];
  // The upper ones branch by twelve, the last is a number of its own.
  const names = [];
  for (let level = 0, rest = number; level < depth - 1; level += 1, rest = Math.floor(rest / WORDS.length)) {
    names.unshift(/** @type {string} */ (WORDS[rest % WORDS.length]));
  }
  return [...names, String(number).padStart(5, '0')];
}

/**
 * Most files are small, some three times the mean; where there are few, all are of the same size. Multiples of the golden ratio scatter like chance, but
 * add up to what they should.
 *
 * @param {import('./profiles.mjs').SizedPart} part
 * @param {number} n
 */
function sizeOf({ files, bytes }, n) {
  const mean = bytes / files;
  if (files < 12) return Math.round(mean);
  const share = (n * 0.618_033_988_749_895) % 1;
  return Math.round(mean * (0.25 + 3 * share ** 3));
}

/** Bytes that no compressor makes smaller, without end. @param {string} seed @param {number} bytes how many will be taken @returns {Generator<Buffer, never>} */
function* noise(seed, bytes) {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const zeros = ZEROS.subarray(0, bytes);
  for (;;) yield cipher.update(zeros);
}
