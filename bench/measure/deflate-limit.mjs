/**
 * The deflate limit: how fast this machine could deflate a tree if nothing else had to be done. Its bytes are in memory, cut into blocks as in an
 * archive; worker threads do nothing but deflate them with the zlib of Node.js. One alone, then as many as there are cores.
 *
 *     node deflate-limit.mjs <tree> <bytes to sample> <level> <cores>      prints a Limit as JSON
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { deflateRawSync } from 'node:zlib';
import { belongs } from '../trees/real-tree.mjs';

/** @typedef {{ sampleBytes: number; oneCore: number; allCores: number }} Limit speeds in bytes per second, of content */

const BLOCK_BYTES = 1 << 20;

if (isMainThread) process.stdout.write(JSON.stringify(await limit(process.argv.slice(2))));
else deflateBlocks(workerData);

/** @param {string[]} args @returns {Promise<Limit>} */
async function limit([root = '.', sample = '0', level = '6', cores = '1']) {
  const { content, bytes } = sampleOf(root, Number(sample));
  const speed = async (/** @type {number} */ workers) => {
    const next = new SharedArrayBuffer(8);
    const data = { content, bytes, level: Number(level), next, workers };
    const threads = Array.from({ length: workers }, () => new Worker(new URL(import.meta.url), { workerData: data }));
    const times = await Promise.all(
      threads.map(
        (thread) =>
          /** @type {Promise<{ began: number; ended: number }>} */ (
            new Promise((resolve, reject) => {
              thread.once('message', resolve);
              thread.once('error', reject);
            })
          ),
      ),
    );
    const began = Math.min(...times.map((time) => time.began));
    const ended = Math.max(...times.map((time) => time.ended));
    return (bytes / (ended - began)) * 1000;
  };
  return { sampleBytes: bytes, oneCore: await speed(1), allCores: await speed(Number(cores)) };
}

/**
 * Blocks from all over a tree: of the files one behind the other in path order, at equal distances, so that each kind of content has the share
 * that it has in the tree.
 *
 * @param {string} root
 * @param {number} wanted bytes
 * @returns {{ content: SharedArrayBuffer; bytes: number }}
 */
function sampleOf(root, wanted) {
  const files = filesOf(root);
  const whole = files.reduce((sum, { size }) => sum + size, 0);
  const content = new SharedArrayBuffer(Math.min(whole, Math.ceil(wanted / BLOCK_BYTES) * BLOCK_BYTES));
  const bytes = content.byteLength;
  const blocks = Math.ceil(bytes / BLOCK_BYTES);
  let [index, start, filled] = [0, 0, 0];
  for (let block = 0; block < blocks; block += 1) {
    // Where in the whole this block begins; never before the end of the last one.
    let at = Math.round((block / blocks) * (whole - bytes)) + block * BLOCK_BYTES;
    for (let left = Math.min(BLOCK_BYTES, bytes - filled); left > 0; ) {
      let file = files[index];
      while (file !== undefined && start + file.size <= at) {
        start += file.size;
        index += 1;
        file = files[index];
      }
      if (file === undefined) return { content, bytes: filled };
      const length = Math.min(left, start + file.size - at);
      const fd = openSync(file.path, 'r');
      readSync(fd, new Uint8Array(content, filled, length), 0, length, at - start);
      closeSync(fd);
      at += length;
      filled += length;
      left -= length;
    }
  }
  return { content, bytes };
}

/** @param {string} root @returns {{ path: string; size: number }[]} those that an archive holds, in path order */
function filesOf(root) {
  /** @type {{ path: string; size: number }[]} */
  const files = [];
  const visit = (/** @type {string} */ directory) => {
    const entries = readdirSync(join(root, directory), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(directory, entry.name);
      if (!belongs(path, entry.isDirectory())) continue;
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile()) files.push({ path: join(root, path), size: statSync(join(root, path)).size });
    }
  };
  visit('');
  return files;
}

/**
 * In a worker: takes one block after the other until there are none.
 *
 * @param {{ content: SharedArrayBuffer; bytes: number; level: number; next: SharedArrayBuffer; workers: number }} task
 */
async function deflateBlocks({ content, bytes, level, next, workers }) {
  const { parentPort } = await import('node:worker_threads');
  const counters = new Int32Array(next);
  const take = () => Atomics.add(counters, 0, 1) * BLOCK_BYTES;
  // Not before all of them are up.
  Atomics.add(counters, 1, 1);
  while (Atomics.load(counters, 1) < workers) Atomics.wait(counters, 1, Atomics.load(counters, 1), 1);
  const began = performance.timeOrigin + performance.now();
  for (let at = take(); at < bytes; at = take()) {
    // With the settings of zlib that are fastest here.
    deflateRawSync(new Uint8Array(content, at, Math.min(BLOCK_BYTES, bytes - at)), {
      level,
      memLevel: 9,
      chunkSize: 1 << 18,
    });
  }
  parentPort?.postMessage({ began, ended: performance.timeOrigin + performance.now() });
}
