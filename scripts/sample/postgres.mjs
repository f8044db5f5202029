/**
 * A PostgreSQL of one's own: found on the machine, run in a directory that goes away.
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a cluster and a backup of it need. */
const PROGRAMS = ['initdb', 'postgres', 'pg_isready', 'pg_dump', 'psql'];

/** Longest path of a socket that every system takes, in bytes. */
export const SOCKET_PATH_BYTES = 100;

/**
 * The directory of PostgreSQL's programs: one on `PATH` that has them all, else Debian's (newest release first), else other usual places.
 *
 * @returns {string | null}
 */
export function findPostgres() {
  const releases = (/** @type {string} */ root, /** @type {RegExp} */ name) =>
    listed(root)
      .filter((entry) => name.test(entry))
      .sort((a, b) => Number(b.replace(/\D/g, '')) - Number(a.replace(/\D/g, '')))
      .map((entry) => join(root, entry, 'bin'));
  const directories = [
    ...(process.env.PATH ?? '').split(delimiter).filter((directory) => isAbsolute(directory)),
    ...releases('/usr/lib/postgresql', /^\d+$/),
    ...releases('/usr', /^pgsql-\d+$/),
    ...releases('/opt/homebrew/opt', /^postgresql(@\d+)?$/),
    ...releases('/usr/local/opt', /^postgresql(@\d+)?$/),
    '/usr/local/pgsql/bin',
  ];
  return directories.find((directory) => PROGRAMS.every((program) => isProgram(join(directory, program)))) ?? null;
}

/**
 * The account that a server runs as, since it refuses root: `postgres` where there is one, else `nobody`.
 *
 * @returns {{ name: string; uid: number; gid: number } | null} null when this process is not root and can run it itself
 */
export function serverAccount() {
  if (process.getuid?.() !== 0) return null;
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }));
    if (uid?.status === 0 && gid?.status === 0) return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  throw new Error('PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it');
}

/** This process's environment without anything that speaks of locales, of PostgreSQL or of an install of Leoflow. */
export function plainEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(LC_|LANG|PG|PSQL|LEOFLOW_)/.test(name)));
}

/** Arguments of `initdb` as Leoflow Lite calls it, and without waiting for the disk. */
export const INITDB_ARGUMENTS = ['-U', 'leoflow', '-A', 'trust', '--encoding=UTF8', '--locale=C', '--no-sync'];

/**
 * Arguments of `postgres` for a cluster that listens on the socket in its own directory and nowhere else.
 *
 * @param {string} pgdata
 */
export function serverArguments(pgdata) {
  return ['-D', pgdata, '-k', pgdata, '-p', '5432', '-c', 'listen_addresses=', '-c', 'fsync=off'];
}

/** A server that is this process's child. */
export class Server {
  #child;
  #ended;

  /** @param {import('node:child_process').ChildProcess} child */
  constructor(child) {
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once('exit', resolve);
      child.once('error', resolve);
    });
  }

  /**
   * Starts a server and waits until it answers.
   *
   * @param {object} options
   * @param {string} options.bin
   * @param {string} options.pgdata initialised
   * @param {string} options.log a file
   * @param {{ uid: number; gid: number } | null} options.account
   * @param {AbortSignal} [options.signal]
   * @param {(server: Server) => void} [options.onSpawn] told at once, so that nothing can be left behind
   */
  static async start({ bin, pgdata, log, account, signal, onSpawn }) {
    const output = openSync(log, 'a');
    // A group of its own: Ctrl-C in the terminal must not stop it before whoever is using it.
    const child = spawn(join(bin, 'postgres'), serverArguments(pgdata), {
      cwd: '/',
      env: plainEnvironment(),
      stdio: ['ignore', output, output],
      detached: true,
      ...(account === null ? {} : { uid: account.uid, gid: account.gid }),
    });
    closeSync(output);
    const server = new Server(child);
    onSpawn?.(server);
    for (let tries = 0; tries < 300; tries += 1) {
      signal?.throwIfAborted();
      if (!server.running) break;
      const { status } = spawnSync(join(bin, 'pg_isready'), ['-q', '-h', pgdata, '-p', '5432'], {
        env: plainEnvironment(),
      });
      if (status === 0) return server;
      await sleep(100);
    }
    await server.stop();
    throw new Error(`PostgreSQL did not start; its log says:\n${readFileSync(log, 'utf8').trimEnd()}`);
  }

  get running() {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Stops it: connections are ended, then all is written. Resolves when it is gone. */
  async stop() {
    for (const [signal, patience] of /** @type {const} */ ([
      ['SIGINT', 10_000],
      ['SIGQUIT', 5_000],
      ['SIGKILL', 5_000],
    ])) {
      if (!this.running) return;
      this.#child.kill(signal);
      const timer = new AbortController();
      await Promise.race([this.#ended, sleep(patience, null, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
    }
  }

  /** Ends it at once; for the last moment of the process. */
  kill() {
    if (this.running) this.#child.kill('SIGQUIT');
  }
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} directory */
function listed(directory) {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
