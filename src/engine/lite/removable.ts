/**
 * What may be removed with an install, and what is clearly not ours to remove.
 *
 * A workspace is any directory that somebody once named. So before one is removed it is looked through to the last file: it must hold nothing of other
 * users, nothing of other file systems, and no history that exists nowhere else (a backup leaves `.git` out, so there it is not either).
 */
import { execFile } from 'node:child_process';
import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from '../errors.js';
import { below } from '../install/index.js';
import { onlyHere } from './only-here.js';

/** What a directory holds. */
export interface Extent {
  /** Everything that is no directory. */
  files: number;
  bytes: number;
}

/** A directory that is to be removed, and whose it must be. */
export interface Candidate {
  /** Real path. */
  path: string;
  /** `workspace` or `Leoflow home`, for messages. */
  what: string;
  uid: number;
  /** Whether histories in it are looked into. */
  histories: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Looks through a directory that is to be removed with all in it. Only reads.
 *
 * @throws `UNINSTALL_UNSAFE` where it must not be, `INTERRUPTED`
 */
export async function judgeRemovable(candidate: Candidate): Promise<Extent> {
  const { path, what } = candidate;
  const refuse: Refuse = (why, hint = 'remove by hand what may go of it') => {
    return new SnapshotError('UNINSTALL_UNSAFE', `the ${what} ${path} is not removed: ${why}`, {
      hint: `${hint}; nothing was removed`,
    });
  };
  if (path === '/') throw refuse('it is the root directory');
  const home = await homeIn(path);
  if (home === path) throw refuse("it is somebody's home directory");
  if (home !== null) throw refuse(`the home directory ${home} lies in it`);
  for (const mount of await mountPoints()) {
    if (below(mount, path) !== null) throw refuse(`a file system is mounted at ${mount}`, 'unmount it first');
  }
  const found = { files: 0, bytes: 0 };
  try {
    const { dev } = await lstat(path);
    await look(Buffer.from(path), { ...candidate, dev, found, refuse });
  } catch (error) {
    if (error instanceof SnapshotError) throw error;
    throw refuse(`it cannot be looked through: ${systemErrorText(error)}`);
  }
  return found;
}

/** How long a directory server has to say where somebody lives. */
const GETENT_MS = 5_000;

const SLASH = Buffer.from('/');

type Refuse = (why: string, hint?: string) => SnapshotError;

interface Search extends Candidate {
  dev: number;
  found: Extent;
  refuse: Refuse;
}

/** @param path bytes: a name need not be UTF-8 */
async function look(path: Buffer, search: Search): Promise<void> {
  throwIfAborted(search.signal);
  const { uid, dev, found, refuse } = search;
  const stats = await lstat(path).catch(nullIfGone);
  if (stats === null) return;
  const text = path.toString();
  if (stats.uid !== uid) throw refuse(`${text} belongs to another user (uid ${stats.uid})`);
  if (stats.dev !== dev) throw refuse(`${text} lies on another file system`);
  if (search.histories && /^\.(?:git|hg)$/.test(basename(text))) {
    const why = await onlyHere(dirname(text), basename(text));
    if (why !== null) throw refuse(`${text} ${why}`, 'push it, or move it away');
  }
  if (!stats.isDirectory()) {
    found.files += 1;
    found.bytes += stats.size;
    return;
  }
  const names = await readdir(path, { encoding: 'buffer' }).catch(nullIfGone);
  for (const name of names ?? []) await look(Buffer.concat([path, SLASH, name]), search);
}

/** For what has vanished meanwhile: files come and go while the datastore runs. */
function nullIfGone(error: unknown): null {
  if (systemErrorCode(error) === 'ENOENT') return null;
  throw error;
}

/**
 * A directory in which people, or services, live, that is another one or lies in it; null where there is none.
 *
 * @param directory real path; nothing need be there
 */
export async function homeIn(directory: string): Promise<string | null> {
  const owner = await stat(directory).catch(() => null);
  const homes = await homeDirectories([owner?.uid.toString(), process.geteuid?.().toString(), process.env.SUDO_USER]);
  for (const home of homes) if (home === directory || below(home, directory) !== null) return home;
  return null;
}

/**
 * By the names that the system has for them, and by their real paths.
 *
 * @param users names or uids of those that have to be among them: a directory server (LDAP …) tells of a user only when asked for that one
 */
async function homeDirectories(users: readonly (string | undefined)[]): Promise<Set<string>> {
  const listed = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const asked = await Promise.all(users.map((user) => (user === undefined ? '' : passwdLine(user))));
  const homes = [listed, ...asked].flatMap((text) => text.split('\n')).map((line) => line.split(':')[5] ?? '');
  try {
    homes.push(homedir());
  } catch {
    // a uid without a user, and no HOME
  }
  const named = homes.filter((home) => home.startsWith('/')).map((home) => home.replace(/(?<=.)\/+$/, ''));
  const real = await Promise.all(named.map((home) => realpath(home).catch(() => home)));
  return new Set([...named, ...real]);
}

/** What the system says of a user; nothing where it knows none, or cannot be asked (macOS and small containers have no `getent`). */
async function passwdLine(user: string): Promise<string> {
  // A name that getent could take for an option is no user's name.
  if (user.startsWith('-')) return '';
  return promisify(execFile)('getent', ['passwd', user], { timeout: GETENT_MS }).then(
    ({ stdout }) => stdout,
    () => '',
  );
}

/** Where file systems are mounted, also a directory of the same one (which no device number tells); none where the system does not say. */
export async function mountPoints(): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return table.split('\n').flatMap((line) => {
    const point = line.split(' ')[4];
    return point === undefined
      ? []
      : [point.replaceAll(/\\(\d{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8)))];
  });
}
