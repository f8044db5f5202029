/**
 * The built program as an installed one: `leoflow` in a directory for `PATH`, where an account can run it.
 *
 * A clone may lie where only its owner may go (`/root`). Then what the program consists of is copied: its files, the packages that it needs, and Node.js if that lies
 * out of reach, too.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = 'dist/cli/main.js';

/**
 * Makes `bin/leoflow` and `bin/node`.
 *
 * @param {string} directory where both, and the copies, come to lie; the account can read it
 * @param {{ uid: number; gid: number } | null} account who is to run it; null: ourselves
 * @returns {string} the directory for `PATH`
 */
export function placeProgram(directory, account) {
  const bin = join(directory, 'bin');
  mkdirSync(bin, { recursive: true });
  const node = realpathSync(process.execPath);
  if (mayRead(node, account)) symlinkSync(node, join(bin, 'node'));
  else cpSync(node, join(bin, 'node'));
  const root = mayRead(join(ROOT, MAIN), account) ? ROOT : copyProgram(join(directory, 'leoflow-snapshot'));
  symlinkSync(join(root, MAIN), join(bin, 'leoflow'));
  return bin;
}

/** @param {string} target @returns {string} */
function copyProgram(target) {
  mkdirSync(target);
  for (const part of ['package.json', 'dist']) cpSync(join(ROOT, part), join(target, part), { recursive: true });
  for (const name of neededPackages()) {
    cpSync(join(ROOT, 'node_modules', name), join(target, 'node_modules', name), { recursive: true });
  }
  return target;
}

/** Names of the packages that the program needs, those that they need included. @returns {Set<string>} */
function neededPackages() {
  /** @type {Set<string>} */
  const needed = new Set();
  const add = (/** @type {string} */ directory) => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(join(directory, 'package.json'), 'utf8'),
    );
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const found = join(ROOT, 'node_modules', name);
      if (needed.has(name) || !existsSync(found)) continue;
      needed.add(name);
      add(found);
    }
  };
  add(ROOT);
  return needed;
}

/** @param {string} path @param {{ uid: number; gid: number } | null} account */
function mayRead(path, account) {
  if (account === null) return true;
  const { status } = spawnSync('sh', ['-c', 'test -r "$1" && test -x "$2"', 'sh', path, dirname(path)], {
    cwd: '/',
    uid: account.uid,
    gid: account.gid,
  });
  return status === 0;
}
