/**
 * Where a bench keeps things: trees and clusters for the next time, and a scratch directory that is gone at the end.
 *
 * One bench at a time: two would measure each other. What one that was killed has left behind, the next one removes.
 */
import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ directory: string; scratch: string; close: () => void }} WorkDirectory */

/**
 * Takes the directory.
 *
 * @param {string} path
 * @returns {WorkDirectory}
 * @throws Error when another bench uses it
 */
export function openWorkDirectory(path) {
  mkdirSync(path, { recursive: true });
  const directory = realpathSync(path);
  const lock = join(directory, 'lock');
  takeLock(lock);
  for (const name of readdirSync(directory)) {
    if (name.startsWith('run-')) rmSync(join(directory, name), { recursive: true, force: true });
  }
  const scratch = join(directory, `run-${process.pid}`);
  mkdirSync(scratch);
  const close = () => {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
    rmSync(lock, { force: true });
    process.removeListener('exit', close);
  };
  process.once('exit', close);
  return { directory, scratch, close };
}

/** @param {string} lock */
function takeLock(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
  } catch {
    const holder = Number(readFileSync(lock, 'utf8'));
    if (isAlive(holder))
      throw new Error(`another bench (process ${holder}) uses that directory; choose another --dir, or wait`);
    writeFileSync(lock, String(process.pid));
  }
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
