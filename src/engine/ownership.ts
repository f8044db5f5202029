/**
 * Whose a restore's files are: under sudo, what root creates belongs to whoever the install belongs to.
 */
import { chmod, chown, lstat, mkdir, rmdir, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { runTool } from './system-tools.js';

/** Whom an install belongs to. */
export interface Owner {
  uid: number;
  gid: number;
}

/**
 * Under sudo, whom a home belongs to: who owns it, or else the directory that it will be made in.
 *
 * @returns null where nothing has to be given away: we are not root, or the home is root's own
 */
export async function ownerOf(home: string): Promise<Owner | null> {
  if (process.getuid?.() !== 0) return null;
  try {
    const { uid, gid } = await stat(home);
    return uid === 0 ? null : { uid, gid };
  } catch (error) {
    if (dirname(home) === home) throw error;
    return ownerOf(dirname(home));
  }
}

/** Gives a file, or a tree with all in it, to the owner. */
export async function giveTo(owner: Owner | null, path: string): Promise<void> {
  if (owner === null) return;
  const was = await lstat(path);
  await runTool('chown', ['-Rh', `${owner.uid}:${owner.gid}`, '--', path]);
  if (!was.isDirectory()) return;
  await chmod(path, was.mode & 0o7777);
  await utimes(path, was.atime, was.mtime);
}

/** Directories that a restore makes on its way; where nothing comes of it, they go again. */
export class MadeDirectories {
  readonly #owner: Owner | null;
  readonly #made: string[] = [];

  constructor(owner: Owner | null) {
    this.#owner = owner;
  }

  /** Makes a directory and those above it, where they are missing. */
  async make(path: string, mode?: number): Promise<void> {
    const first = await mkdir(path, { recursive: true, ...(mode !== undefined && { mode }) });
    if (first === undefined) return;
    for (let made = path; made.length >= first.length; made = dirname(made)) {
      this.#made.push(made);
      if (this.#owner !== null) await chown(made, this.#owner.uid, this.#owner.gid);
    }
  }

  /** Removes those that are empty; what is in one by now is not ours. */
  async removeEmpty(): Promise<void> {
    const deepestFirst = this.#made.toSorted((a, b) => b.length - a.length);
    for (const path of deepestFirst) await rmdir(path).catch(() => {});
  }
}
