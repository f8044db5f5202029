/**
 * Ours: the built command line, on a home and a datastore made up for it. That makes it more than a tree: it dumps the datastore, too (without
 * `--dump-size` one of a few kilobytes), and writes and compares a checksum for every file.
 */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeHome } from '../../scripts/sample/home.mjs';
import { run } from '../measure/run.mjs';
import { checkArchive, checkTree, restoredWorkspace } from './check.mjs';

/** @typedef {import('./contender.mjs').Arena} Arena */
/** @typedef {import('./contender.mjs').Contender} Contender */

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/**
 * A home whose workspace is the tree, and beside it a directory in which the tree is called `workspace`, as in the archive.
 *
 * @param {string} scratch
 * @param {string} tree
 * @param {string} bin of PostgreSQL
 * @returns {string} that directory
 */
export function makePlace(scratch, tree, bin) {
  const place = join(scratch, 'place');
  mkdirSync(place);
  makeHome({ home: join(place, 'home'), workspace: tree, bin });
  symlinkSync(tree, join(place, 'workspace'));
  return place;
}

/** @param {Arena} arena @param {string} output */
function surroundings({ place, cluster }, output) {
  return { NODE: process.execPath, LEOFLOW: MAIN, PLACE: place, DSN: cluster.dsn, OUTPUT: output };
}

/** @param {number} workers @param {Arena} arena */
function suffix(workers, { workers: [first] }) {
  return workers === first ? '' : `, ${workers} worker${workers === 1 ? '' : 's'}`;
}

/** @param {Arena} arena @returns {Contender[]} */
export function leoflowBackups(arena) {
  const { scratch, level, workers } = arena;
  return workers.map((count) => {
    const output = join(scratch, `leoflow-${count}.tar.gz`);
    return {
      name: `leoflow lite backup${suffix(count, arena)}`,
      direction: 'backup',
      ours: count === workers[0],
      missing: null,
      line: `"$NODE" "$LEOFLOW" lite backup --home "$PLACE/home" --dsn "$DSN" -o "$OUTPUT" --workers ${count} --level ${level} --json --no-progress`,
      env: surroundings(arena, output),
      output,
      keeps: count === workers[0],
      prepare: async () => rmSync(output, { force: true }),
      check: async (thorough) => {
        await checkArchive(arena, { file: output, compressed: true, root: 'workspace', thorough });
        if (thorough) await checkSums(arena, output);
      },
    };
  });
}

/** @param {Arena} arena @param {string} archive @returns {Contender[]} */
export function leoflowRestores(arena, archive) {
  const { scratch, workers } = arena;
  return workers.map((count) => {
    const output = join(scratch, `leoflow-restored-${count}`);
    return {
      name: `leoflow lite restore${suffix(count, arena)}`,
      direction: 'restore',
      ours: count === workers[0],
      missing: null,
      line: `"$NODE" "$LEOFLOW" lite restore -i "$ARCHIVE" --home "$PLACE/home" --force --only workspace --workspace "$OUTPUT/workspace" --workers ${count} --json --no-progress`,
      env: { ...surroundings(arena, output), ARCHIVE: archive },
      output,
      prepare: async () => void mkdirSync(output),
      check: (thorough) => checkTree(arena, restoredWorkspace(output), thorough),
    };
  });
}

/**
 * The checksums are those of the tree: a line for each file, and `sha256sum -c` finds them right where the tree is, of which tar has said that the
 * archive holds every byte. (Extracting the archive would prove the same, and leave a copy to be removed.)
 *
 * @param {Arena} arena @param {string} archive
 */
async function checkSums({ tree, place, signal }, archive) {
  const line = `
    cd "$PLACE"
    tar xzOf "$ARCHIVE" SHA256SUMS | grep -aE '^\\\\?[0-9a-f]{64}  workspace/' | sha256sum -c - |
      awk '/: OK$/ { right += 1; next } { print > "/dev/stderr" } END { printf "%d", right }'`;
  const { said } = await run({ line, env: { ARCHIVE: archive, PLACE: place }, signal });
  if (Number(said) !== tree.files) throw new Error(`SHA256SUMS is right for ${said} files, the tree has ${tree.files}`);
}
