/**
 * Exclusions, as every contender gets them, and counting a directory of the user's by them.
 *
 * They are those that are built into the engine: of some names directories only, of others everything.
 */
import { resolve } from 'node:path';
import { run } from '../measure/run.mjs';

/** Left out whatever they are. */
export const VERSION_CONTROL = ['.git', '.hg', '.svn'];
/** Left out where they are directories. */
export const MADE_AGAIN = ['.venv', 'venv', '__pycache__', '.pytest_cache', 'node_modules', '.tox', '.mypy_cache'];

/**
 * Whether an archive holds what stands under that path.
 *
 * @param {string} path relative to the tree
 * @param {boolean} directory
 */
export function belongs(path, directory) {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  return names.every(
    (name, index) =>
      !VERSION_CONTROL.includes(name) && !(MADE_AGAIN.includes(name) && (directory || index < names.length - 1)),
  );
}

/**
 * Counts a tree of the user's, as it belongs into an archive.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<import('./generate.mjs').Tree>}
 */
export async function realTree(path, signal) {
  const root = resolve(path);
  return { name: root.split('/').slice(-2).join('/'), root, ...(await countTree(root, signal)) };
}

/**
 * Regular files below a directory, and their bytes.
 *
 * @param {string} root
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ files: number; bytes: number }>}
 */
export async function countTree(root, signal) {
  const named = (/** @type {string[]} */ names) => names.map((name) => `-name ${name}`).join(' -o ');
  const excluded = `\\( ${named(VERSION_CONTROL)} -o -type d \\( ${named(MADE_AGAIN)} \\) \\)`;
  // From inside: the rules are about what is below the root, not about its own name.
  const line = `find . -mindepth 1 ${excluded} -prune -o -type f -printf '%s\\n' | awk '{ files += 1; bytes += $1 } END { printf "%d %.0f", files, bytes }'`;
  const { said } = await run({ line, cwd: root, ...(signal === undefined ? {} : { signal }) });
  const [files = 0, bytes = 0] = said.split(' ').map(Number);
  return { files, bytes };
}
