/**
 * Whose install is meant when nobody says: the invoking user's. Run through `sudo`, that is the person who typed it, not root,
 * although `HOME` may say otherwise; so the system is asked where that person lives.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { SnapshotError } from '../errors.js';

/** The name of the home in the user's home directory. */
export const HOME_NAME = '.leoflow';

/**
 * `~/.leoflow` of the invoking user; of `$SUDO_USER` when we run as root through sudo.
 *
 * @returns an absolute path; nothing need be there
 * @throws SnapshotError `HOME_NOT_FOUND` when the system does not know where that user lives
 */
export function defaultHome(): string {
  const user = process.geteuid?.() === 0 ? process.env.SUDO_USER : undefined;
  return join(user ? homeDirectoryOf(user) : ownHomeDirectory(), HOME_NAME);
}

function ownHomeDirectory(): string {
  try {
    const directory = homedir();
    if (isAbsolute(directory)) return directory;
  } catch {
    // No HOME, and a uid without a user.
  }
  throw notFound('your home directory is unknown: HOME is not set to an absolute path');
}

function homeDirectoryOf(user: string): string {
  // A name that getent could take for an option is no user's name.
  const directory = user.startsWith('-') ? undefined : (fromGetent(user) ?? fromPasswdFile(user));
  if (directory !== undefined) return directory;
  throw notFound(`the home directory of ${user} ($SUDO_USER) could not be found`);
}

/** `getent` knows every source of users (LDAP …); macOS and small containers do not have it. */
function fromGetent(user: string): string | undefined {
  const { status, stdout } = spawnSync('getent', ['passwd', user], { encoding: 'utf8', timeout: 5_000 });
  return status === 0 ? homeField(stdout, user) : undefined;
}

function fromPasswdFile(user: string): string | undefined {
  try {
    return homeField(readFileSync('/etc/passwd', 'utf8'), user);
  } catch {
    return undefined;
  }
}

/** The sixth field of the user's line in `passwd(5)` format. `getent` also takes a uid, so the name is compared. */
function homeField(lines: string, user: string): string | undefined {
  const fields = lines.split('\n').map((line) => line.split(':'));
  const directory = fields.find(([name]) => name === user)?.[5];
  return directory && isAbsolute(directory) ? directory : undefined;
}

function notFound(message: string): SnapshotError {
  return new SnapshotError('HOME_NOT_FOUND', message, { hint: 'name the Leoflow home with --home <dir>' });
}
