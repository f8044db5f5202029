/**
 * Numbers that look random and are the same in every run.
 */
import { createCipheriv, createHash } from 'node:crypto';

/**
 * @typedef {object} Random
 * @property {(below: number) => number} int a whole number from 0 to `below` (exclusive)
 * @property {<T>(list: readonly T[]) => T} pick one of a list, each as likely as the other
 * @property {<T>(list: readonly T[]) => T} favour one of a list, the first ones much more likely: words in a text are like that
 */

/**
 * A sequence of its own for every seed (sfc32).
 *
 * @param {string} seed
 * @returns {Random}
 */
export function randomOf(seed) {
  const digest = createHash('sha256').update(seed).digest();
  let [a = 0, b = 0, c = 0, d = 0] = [0, 4, 8, 12].map((at) => digest.readInt32LE(at));
  const next = () => {
    const sum = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 0x1_0000_0000;
  };
  return {
    int: (below) => Math.floor(next() * below),
    pick: (list) => /** @type {typeof list[number]} */ (list[Math.floor(next() * list.length)]),
    favour: (list) => /** @type {typeof list[number]} */ (list[Math.floor(next() ** 3 * list.length)]),
  };
}

/**
 * Bytes that no compressor makes smaller.
 *
 * @param {string} seed
 * @param {number} size in bytes
 */
export function noise(seed, size) {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
