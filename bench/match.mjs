/**
 * All there is to measure about one tree: both directions, and the deflate limit in between.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { leoflowBackups, leoflowRestores, makePlace } from './contenders/leoflow.mjs';
import { npmBackups, npmRestores } from './contenders/npm.mjs';
import { restic } from './contenders/restic.mjs';
import { tarBackups, tarRestores } from './contenders/tar.mjs';
import { contest } from './contest.mjs';
import { Discard } from './discard.mjs';
import { run } from './measure/run.mjs';

const LIMIT = fileURLToPath(new URL('measure/deflate-limit.mjs', import.meta.url));
/** Bytes of the tree that the deflate limit is measured on, at most. */
const SAMPLE_BYTES = 256e6;
const QUICK_SAMPLE_BYTES = 16e6;

/** @typedef {import('./contenders/contender.mjs').Contender} Contender */
/** @typedef {import('./measure/deflate-limit.mjs').Limit} Limit */

/**
 * @typedef {object} Section what was measured about one tree
 * @property {{ name: string; files: number; bytes: number; dumpBytes: number }} tree `dumpBytes` is 0 where only ours dumps
 * @property {number} level of ours, and of the deflate limit
 * @property {number} peerLevel
 * @property {number} cores
 * @property {number[]} workers of ours; the first is the one that is compared
 * @property {boolean} [cold] whether the page cache was empty at the beginning of each run
 * @property {Limit[]} limits one of each round
 * @property {import('./contest.mjs').Result[]} backup
 * @property {import('./contest.mjs').Result[]} restore
 */

/**
 * @param {object} options
 * @param {import('./trees/generate.mjs').Tree} options.tree
 * @param {import('./trees/datastore.mjs').Cluster} options.cluster
 * @param {string} options.scratch a directory that does not exist yet
 * @param {number} options.level
 * @param {number} options.peerLevel
 * @param {number} options.cores
 * @param {number[]} options.workers
 * @param {number} options.runs
 * @param {readonly ('backup' | 'restore')[]} options.directions
 * @param {(name: string) => boolean} options.takesPart asked about peers
 * @param {boolean} options.cold
 * @param {boolean} [options.quick]
 * @param {boolean} [options.limited] whether the deflate limit is measured (default: yes)
 * @param {AbortSignal} options.signal
 * @param {(text: string) => void} options.say
 * @returns {Promise<Section>}
 */
export async function match({ tree, cluster, scratch, quick = false, limited = true, ...options }) {
  const { level, peerLevel, cores, workers, runs, cold, directions, takesPart, signal, say } = options;
  mkdirSync(scratch);
  const place = makePlace(scratch, tree.root, cluster.bin);
  const discard = new Discard(scratch, 2 * tree.bytes + 1e9);
  const arena = { tree, place, scratch, cluster, discard, level, peerLevel, cores, workers, signal };
  const ours = leoflowBackups(arena);
  const archive = /** @type {Contender} */ (ours[0]).output;
  const { backups, restores } = restic(arena);
  const chosen = (/** @type {Contender[]} */ peers) => peers.filter(({ name }) => takesPart(name));
  const how = { runs, cold, scratch, discard, signal, say };
  const { files, bytes } = tree;
  /** @type {Section} */
  const section = {
    tree: { name: tree.name, files, bytes, dumpBytes: 0 },
    level,
    peerLevel,
    cores,
    workers,
    cold,
    limits: [],
    backup: [],
    restore: [],
  };

  say(
    `\n${tree.name}: ${files.toLocaleString('en-US')} files, ${(bytes / 1e6).toFixed(0)} MB; ${cold ? 'nobody finds it in memory' : 'read once, so that all find it in memory'}`,
  );
  if (!cold) await run({ line: 'tar cf - -C "$TREE" . | cat > /dev/null', env: { TREE: tree.root }, signal });
  if (cluster.bytes > 0) {
    section.tree.dumpBytes = Number((await run({ line: `${cluster.dump} | wc -c`, signal })).said);
  }
  if (directions.includes('backup')) {
    const sample = quick ? QUICK_SAMPLE_BYTES : SAMPLE_BYTES;
    const betweenRounds = async () => {
      if (!limited) return;
      const env = { NODE: process.execPath, LIMIT, TREE: tree.root };
      const { said } = await run({ line: `"$NODE" "$LIMIT" "$TREE" ${sample} ${level} ${cores}`, env, signal });
      section.limits.push(JSON.parse(said));
    };
    const peers = chosen([...tarBackups(arena), ...backups, ...npmBackups(arena)]);
    section.backup = await contest([...peers, ...ours], { ...how, betweenRounds });
  }
  if (directions.includes('restore')) {
    if (!existsSync(archive)) await run({ .../** @type {Contender} */ (ours[0]), signal });
    if (!cold) await run({ line: 'cat "$ARCHIVE" > /dev/null', env: { ARCHIVE: archive }, signal });
    const peers = chosen([...tarRestores(arena, archive), ...restores, ...npmRestores(arena, archive)]);
    section.restore = await contest([...peers, ...leoflowRestores(arena, archive)], how);
  }
  // What is in scratch stays until the end of the bench.
  return section;
}

/** @param {string} scratch @param {number} number */
export function scratchOf(scratch, number) {
  return join(scratch, String(number));
}
