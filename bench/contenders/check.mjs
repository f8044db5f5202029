/**
 * Whether a result is what it should be. A time counts only then.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../measure/run.mjs';
import { countTree, MADE_AGAIN, VERSION_CONTROL } from '../trees/real-tree.mjs';

/** @typedef {import('./contender.mjs').Arena} Arena */

/**
 * An archive that tar reads: number of files and their bytes; thorough: tar's own comparison of every byte.
 *
 * @param {Arena} arena
 * @param {object} archive
 * @param {string} archive.file
 * @param {boolean} archive.compressed
 * @param {'.' | 'workspace'} archive.root where in the archive the tree stands
 * @param {boolean} archive.thorough
 */
export async function checkArchive({ tree, place, cluster, signal }, { file, compressed, root, thorough }) {
  const inflate = spawnSync('pigz', ['--version']).error === undefined ? 'pigz -dc' : 'gzip -dc';
  // Where peers pack the dump, too, it is not of the tree. They call the root `.` or nothing.
  const members = root === 'workspace' ? root : cluster.bytes === 0 ? '' : '--exclude=datastore.sql';
  const line = `
    ${compressed ? inflate : 'cat'} < "$FILE" | {
      tar ${thorough ? 'dvvf' : 'tvf'} - --numeric-owner --quoting-style=escape -C "$FROM" ${members} || [ $? = 1 ]
    } | awk '
      /^-[-rwxsStT]{9} / || /^-/ && $2 ~ /^[0-9]+\\/[0-9]+$/ { files += 1; bytes += $3; next }
      /(Contents|Size|Symlink) differs?$|File type differs$|: Warning: |: Cannot / { if ($0 !~ /^workspace: File type/) { wrong = $0; exit } }
      END { printf "%d %.0f %s", files, bytes, wrong }'`;
  const from = root === '.' ? tree.root : place;
  const { said } = await run({ line, env: { FILE: file, FROM: from }, signal });
  compare(said, tree, 'archive');
}

/**
 * A tree that was restored: number of files and their bytes; thorough: every byte.
 *
 * @param {Arena} arena
 * @param {string} root
 * @param {boolean} thorough
 */
export async function checkTree({ tree, signal }, root, thorough) {
  if (!existsSync(root)) throw new Error(`there is no ${basename(root)} in what was restored`);
  const { files, bytes } = await countTree(root, signal);
  compare(`${files} ${bytes} `, tree, 'restored tree');
  if (!thorough) return;
  const exclude = [...VERSION_CONTROL, ...MADE_AGAIN].map((name) => `-x ${name}`).join(' ');
  await run({
    line: `diff -rq --no-dereference ${exclude} "$TREE" "$RESTORED"`,
    env: { TREE: tree.root, RESTORED: root },
    signal,
  });
}

/**
 * A snapshot of restic's: what it lists.
 *
 * @param {Arena} arena
 * @param {Record<string, string>} env
 * @param {string | null} dump
 */
export async function checkSnapshot({ tree, signal }, env, dump) {
  const line = `restic ls --json latest | awk '
    /"type":"file"/ && !/"path":"[^"]*\\/datastore.sql"/ { files += 1; if (match($0, /"size":[0-9]+/)) bytes += substr($0, RSTART + 7, RLENGTH - 7) }
    END { printf "%d %.0f ", files, bytes }'`;
  const { said } = await run({ line, env, signal });
  compare(said, tree, dump === null ? 'snapshot' : 'snapshot without its dump');
}

/** @param {string} said @param {{ files: number; bytes: number }} tree @param {string} what */
function compare(said, { files, bytes }, what) {
  const [found, size, ...wrong] = said.split(' ');
  if (wrong.join('') !== '') throw new Error(`the ${what} differs: ${wrong.join(' ')}`);
  if (Number(found) !== files || Number(size) !== bytes) {
    throw new Error(`the ${what} has ${found} files of ${size} bytes, the tree ${files} of ${bytes}`);
  }
}

/** Where a restore puts the workspace. @param {string} target */
export function restoredWorkspace(target) {
  return join(target, 'workspace');
}
