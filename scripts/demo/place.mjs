/**
 * Where the demo takes place: PostgreSQL, a directory for everything, and the account that it all runs as.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lchownSync, mkdtempSync, readdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPostgres, SOCKET_PATH_BYTES } from '../sample/postgres.mjs';
import { prompt, say } from './terminal.mjs';

const SOCKET_IN_TEMPORARY = '/leoflow-demo-XXXXXX/home/.leoflow/pgdata/.s.PGSQL.5432';

/** A reason to stop that needs no explanation but itself. */
export class Refusal extends Error {}

/** Finds PostgreSQL, or installs Debian's package where we may. @returns {string} the directory of its programs */
export function requirePostgres() {
  const found = findPostgres();
  if (found !== null) return found;
  const command = 'apt-get update && apt-get install -y postgresql';
  say('The demo needs PostgreSQL (initdb, postgres, psql, pg_dump), and there is none on this machine.');
  if (!existsSync('/etc/debian_version')) {
    throw new Refusal('install PostgreSQL with the package manager of your system, and run this again');
  }
  if (process.getuid?.() !== 0) {
    throw new Refusal(`install it with this command, and run the demo again:\n  sudo sh -c '${command}'`);
  }
  prompt(command);
  const { status } = spawnSync('sh', ['-c', command], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  const bin = findPostgres();
  if (status !== 0 || bin === null) throw new Refusal('PostgreSQL could not be installed, see above');
  return bin;
}

/**
 * Makes a temporary directory whose socket path is short enough, and which the account can reach.
 *
 * @param {{ uid: number; gid: number } | null} account
 */
export function makeTemporary(account) {
  const reachable = (/** @type {string} */ directory) =>
    spawnSync('sh', ['-c', 'cd "$1"', 'sh', directory], {
      cwd: '/',
      ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    }).status === 0;
  for (const candidate of [tmpdir(), '/tmp', '/var/tmp']) {
    if (!existsSync(candidate)) continue;
    const parent = realpathSync(candidate);
    if (Buffer.byteLength(parent + SOCKET_IN_TEMPORARY) > SOCKET_PATH_BYTES || !reachable(parent)) continue;
    return mkdtempSync(join(parent, 'leoflow-demo-'));
  }
  throw new Refusal('no temporary directory will do: set TMPDIR to a short path that everybody can reach');
}

/** Gives a directory and all in it to an account. @param {string} path @param {{ uid: number; gid: number } | null} account */
export function giveTo(path, account) {
  if (account === null) return;
  for (const entry of ['', ...readdirSync(path, { recursive: true })]) {
    lchownSync(join(path, String(entry)), account.uid, account.gid);
  }
}
