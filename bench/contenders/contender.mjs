/**
 * What takes part: a line of bash that makes an archive of a tree, or a tree of an archive, and how its result is looked at.
 */

import { spawnSync } from 'node:child_process';
import { MADE_AGAIN, VERSION_CONTROL } from '../trees/real-tree.mjs';

/**
 * @typedef {object} Contender
 * @property {string} name as reports show it
 * @property {'backup' | 'restore'} direction
 * @property {boolean} [ours]
 * @property {string | null} missing what would have to be installed; null when it can take part
 * @property {string} line what is measured: bash
 * @property {Record<string, string>} env
 * @property {string} output what it makes; removed before and after, unless `keeps`
 * @property {boolean} [keeps] its output stays: for a second run, or to be restored
 * @property {() => Promise<void>} [prepare] before every run, outside the measured time
 * @property {(thorough: boolean) => Promise<void>} check throws when the result is not the tree; thorough: every byte of it
 */

/**
 * @typedef {object} Arena what all contenders of a tree have in common
 * @property {import('../trees/generate.mjs').Tree} tree
 * @property {string} place a directory in which `workspace` is the tree
 * @property {string} scratch
 * @property {import('../trees/datastore.mjs').Cluster} cluster
 * @property {import('../discard.mjs').Discard} discard
 * @property {number} level of ours
 * @property {number} peerLevel of all others that have levels
 * @property {number} cores
 * @property {number[]} workers the numbers of workers that ours runs with; the first is the one that is compared
 * @property {AbortSignal} signal
 */

/** Names of entries that are left out, and of directories of which only the (empty) entry is kept. */
export const EXCLUDE_PATTERNS = [...VERSION_CONTROL, ...MADE_AGAIN.map((name) => `${name}/*`)];

/** `--exclude`, for all tools that match patterns at any depth. */
export const EXCLUDE_FLAGS = EXCLUDE_PATTERNS.map((pattern) => `--exclude='${pattern}'`).join(' ');

/**
 * The name of the Debian package that a program is missing from, or null where the program is there.
 *
 * @param {string} program
 * @param {string} from
 */
export function missingProgram(program, from = program) {
  const { error } = spawnSync(program, ['--version']);
  return error === undefined ? null : `apt-get install ${from}`;
}

/** @param {string} name @returns {string | null} */
export function missingPackage(name) {
  try {
    import.meta.resolve(name);
    return null;
  } catch {
    return 'npm ci';
  }
}

/**
 * What a peer does first, and then also packs: the same dump that ours makes, where the bench is about one.
 *
 * @param {Arena} arena
 * @returns {{ line: string; file: string | null }}
 */
export function peerDump({ cluster, scratch }) {
  if (cluster.bytes === 0) return { line: '', file: null };
  return { line: `${cluster.dump} -f '${scratch}/datastore.sql'\n`, file: `${scratch}/datastore.sql` };
}
