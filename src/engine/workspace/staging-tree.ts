/**
 * The staging tree: where the workspace of an archive is put together, out of sight, before anything takes the place of anything.
 *
 * The directory is fresh and private, so nobody else puts a link in the way; links of the archive are created last, when nothing is written
 * any more. Whatever stands twice in an archive, or once as a file and once as a directory, meets itself here and is refused.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { quoted, unsafe } from '../archive/index.js';
import { isNoRoom, SnapshotError, systemErrorCode, systemErrorText } from '../errors.js';

/** Mode and time of a directory; applied when nothing is created in it any more. */
export interface StagedDirectory {
  /** Relative to the workspace; empty for the workspace itself. */
  path: string;
  mode: number;
  /** Whole seconds since 1970. */
  mtime: number;
}

/** A link, created when all files are in place. */
export interface StagedLink {
  path: string;
  kind: 'symlink' | 'hardlink';
  /** A symlink's target as it stands; a hard link's path in the workspace. */
  target: string;
  mtime: number;
}

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Modes are restored without these: what a stranger's archive marks setuid is not run as its owner. */
const SETUID_SETGID = 0o6000;
/** Directories of archives without directory entries get the mode that any new directory gets. What hides them is the staging directory around them. */
const NEW_DIRECTORY = 0o777;

/** The earliest moment of a date, in seconds since 1970. */
const FIRST_DATE = -8.64e12;

/** Writes below one directory. All calls are synchronous: they run in workers, or between two chunks of a stream. */
export class StagingTree {
  readonly #root: string;
  readonly #umask = process.umask();

  /** @param root the directory that becomes the workspace; it exists and is empty at first */
  constructor(root: string) {
    this.#root = root;
  }

  /** Creates a file, and the directories above it. @returns its descriptor @throws ARCHIVE_UNSAFE, STAGING_FULL, STAGING_WRITE */
  createFile(path: string, mode: number): number {
    const target = join(this.#root, path);
    // Private until it is complete, unless nothing is hidden by that.
    const initial = (mode & ~SETUID_SETGID) | 0o600;
    return this.#attempt(path, () => {
      try {
        return openSync(target, CREATE, initial);
      } catch (error) {
        if (systemErrorCode(error) !== 'ENOENT') throw error;
        mkdirSync(dirname(target), { recursive: true, mode: NEW_DIRECTORY });
        return openSync(target, CREATE, initial);
      }
    });
  }

  /** Writes all bytes at a place of the file. @throws STAGING_FULL, STAGING_WRITE */
  write(path: string, fd: number, bytes: Uint8Array, position: number): void {
    this.#attempt(path, () => {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(fd, bytes, done, bytes.length - done, position + done);
      }
    });
  }

  /** Gives a complete file its mode and time, and closes it. */
  finishFile(path: string, fd: number, mode: number, mtime: number): void {
    this.#attempt(path, () => {
      try {
        const wanted = mode & ~SETUID_SETGID;
        if (((wanted | 0o600) & ~this.#umask) !== wanted) fchmodSync(fd, wanted);
        futimesSync(fd, timeOf(mtime), timeOf(mtime));
      } finally {
        closeSync(fd);
      }
    });
  }

  /** Creates a directory, and those above it. One that is there already is fine. */
  createDirectory(path: string): void {
    this.#attempt(path, () => mkdirSync(join(this.#root, path), { recursive: true, mode: NEW_DIRECTORY }));
  }

  /**
   * Creates a link. The directories above it must have been created when there were no links: what is made of a path once there are, may be made where one
   * of them points to.
   */
  createLink({ path, kind, target, mtime }: StagedLink): void {
    const place = join(this.#root, path);
    this.#attempt(path, () => {
      this.#link(kind, target, place, path);
      if (kind === 'symlink') lutimesSync(place, timeOf(mtime), timeOf(mtime));
    });
  }

  /** Gives a directory its mode and time. Those below it come first. */
  finishDirectory({ path, mode, mtime }: StagedDirectory): void {
    const place = join(this.#root, path);
    this.#attempt(path, () => {
      utimesSync(place, timeOf(mtime), timeOf(mtime));
      chmodSync(place, mode & ~SETUID_SETGID);
    });
  }

  #link(kind: StagedLink['kind'], target: string, place: string, path: string): void {
    if (kind === 'symlink') {
      symlinkSync(target, place);
      return;
    }
    const file = join(this.#root, target);
    if (!this.#isStagedFile(target)) throw noSuchFile(path);
    linkSync(file, place);
  }

  /** Whether a path leads to a regular file without passing a link. */
  #isStagedFile(path: string): boolean {
    let place = this.#root;
    const parts = path.split('/');
    return parts.every((part, index) => {
      place = join(place, part);
      const stats = lstatSync(place, { throwIfNoEntry: false });
      return index === parts.length - 1 ? stats?.isFile() === true : stats?.isDirectory() === true;
    });
  }

  #attempt<T>(path: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw stagingError(path, error);
    }
  }
}

/** A time for Node.js, which takes a negative number for "now", and no date from before this one. */
function timeOf(mtime: number): number | Date {
  return mtime < 0 ? new Date(Math.max(mtime, FIRST_DATE) * 1000) : mtime;
}

/** The errors of an archive of which no tree can be made. */
export function standsTwice(path: string): SnapshotError {
  return unsafe(`${quoted(path)} stands in it twice, or under two names that this file system takes for one`);
}

export function fileAndDirectory(path: string): SnapshotError {
  return unsafe(`something stands in it both as a file and as the directory of ${quoted(path)}`);
}

export function noSuchFile(path: string): SnapshotError {
  return unsafe(`the hard link ${quoted(path)} does not point to a file of the archive`);
}

/** Says what a system error means for a path of the archive. */
export function stagingError(path: string, cause: unknown): unknown {
  // Ours have a code, too.
  if (cause instanceof SnapshotError) return cause;
  const code = systemErrorCode(cause);
  switch (code) {
    case undefined:
      return cause;
    case 'EEXIST':
    case 'EISDIR':
      return standsTwice(path);
    case 'ENOTDIR':
      return fileAndDirectory(path);
    case 'ENAMETOOLONG':
      return unsafe(`the name ${quoted(path)} is longer than this file system allows`);
    default:
      if (isNoRoom(code))
        return new SnapshotError('STAGING_FULL', `no room to restore ${quoted(path)}: ${systemErrorText(cause)}`, {
          hint: 'free some space beside the workspace, or choose another place with --workspace; nothing was changed',
          cause,
        });
      return new SnapshotError('STAGING_WRITE', `cannot restore ${quoted(path)}: ${systemErrorText(cause)}`, {
        hint: 'check the disk and the permissions of the directory that holds the workspace; nothing was changed',
        cause,
      });
  }
}
