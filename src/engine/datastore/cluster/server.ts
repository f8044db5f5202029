/**
 * The managed cluster's server: made, started and stopped as Leoflow Lite does it.
 *
 * PostgreSQL refuses to run as root. Run by root (through sudo, say), this program runs the server as the owner of the home, which is also who must be
 * able to use it afterwards.
 */
import { chown, lstat, mkdir, readdir, readFile, readlink, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { interrupted, SnapshotError, systemErrorCode, systemErrorText, throwIfAborted } from '../../errors.js';
import { type Outcome, run } from '../child.js';
import { clientEnvironment, MANAGED_PORT, pgdataOf, ROLE } from '../connection.js';
import { wordsOf } from '../psql.js';
import { findTool, type Tool, type ToolSearch, toolMissing } from '../tools.js';
import { clearStaleLocks } from './postmaster.js';

/** Seconds for a server to come up (a crashed one replays its log first) or to go down. */
const PATIENCE = 300;

/** Bytes that the path of a Unix socket may have. */
const LONGEST_SOCKET = 100;

/** Relative to the home, where pg_ctl is run: a shell of its own would expand what it finds in a path. */
const PGDATA = 'pgdata';
export const LOG = join('dev', 'postgres.log');

/** A setting of no effect: a server with it on its command line was started by this program. */
export const STARTED_BY_US = 'leoflow.started_by=leoflow-snapshot';

/** As {@link STARTED_BY_US}: it was started for a backup, and is to be stopped when no backup uses it any more. */
export const STARTED_FOR_BACKUP = 'leoflow.started_for=backup';

/** The server of one home, ready to be started and stopped. */
export interface ManagedServer {
  home: string;
  pgCtl: Tool;
  account: Account | undefined;
}

/** Whom to run the server as; undefined: as ourselves. */
interface Account {
  uid: number;
  gid: number;
}

/**
 * The major release that wrote the cluster's files: 15; undefined where nothing stands in its place, or only an empty directory.
 *
 * @throws `CLUSTER_PROVISION` where something else stands there: a cluster that lost a file, a disk that is not mounted, anything of somebody's
 */
export async function clusterMajor(home: string): Promise<number | undefined> {
  const pgdata = pgdataOf(home);
  if (await isVacant(pgdata)) return undefined;
  let fault = 'its PG_VERSION names no release';
  try {
    const text = await readFile(join(pgdata, 'PG_VERSION'), 'utf8');
    if (/^\d+/.test(text)) return Number.parseInt(text, 10);
  } catch (cause) {
    fault = `its PG_VERSION cannot be read: ${systemErrorText(cause)}`;
  }
  const target = await readlink(pgdata).catch(() => null);
  const place = target === null ? pgdata : `${pgdata}, a symbolic link to ${target},`;
  throw new SnapshotError('CLUSTER_PROVISION', `${place} is no datastore that can be used: ${fault}`, {
    hint: 'mount or repair what belongs there, or move it away to have a new datastore made; nothing was changed',
  });
}

/** Whether a cluster can be made there without touching anything of anybody's. */
async function isVacant(pgdata: string): Promise<boolean> {
  try {
    return (await lstat(pgdata)).isDirectory() && (await readdir(pgdata)).length === 0;
  } catch (error) {
    return systemErrorCode(error) === 'ENOENT';
  }
}

/**
 * The server of an existing cluster.
 *
 * @throws `TOOL_NOT_FOUND` when no server of the cluster's own release is there, `CLUSTER_ROOT`
 */
export async function findServer(search: ToolSearch, major: number): Promise<ManagedServer> {
  const { tool } = await findTool('pg_ctl', search, (candidate) => candidate.major === major);
  if (tool === undefined) {
    throw new SnapshotError(
      'TOOL_NOT_FOUND',
      `the datastore in ${pgdataOf(search.home)} needs PostgreSQL ${major}, which is not there`,
      {
        hint: `run \`leoflow setup\`, or install PostgreSQL ${major} (Debian: apt install postgresql-${major})`,
      },
    );
  }
  return { home: search.home, pgCtl: tool, account: await accountFor(pgdataOf(search.home)) };
}

/** A program that can make a cluster, and would; undefined where there is none. */
export async function findInitdb(search: ToolSearch): Promise<Tool | undefined> {
  return (await findTool('initdb', search)).tool;
}

/**
 * Starts the server and waits until it answers.
 *
 * @param mark a setting of no effect that its command line is to have, besides {@link STARTED_BY_US}
 */
export async function startServer(
  server: ManagedServer,
  signal: AbortSignal | undefined,
  mark?: typeof STARTED_FOR_BACKUP,
): Promise<void> {
  const { home } = server;
  const pgdata = pgdataOf(home);
  requireShortSocket(pgdata);
  throwIfAborted(signal);
  const log = await logFile(server);
  // pg_ctl hands these to a shell, and quotes only some of them.
  const settings = `-c listen_addresses='' -k '${pgdata.replaceAll("'", "'\\''")}' -p ${MANAGED_PORT} -c ${STARTED_BY_US}${mark === undefined ? '' : ` -c ${mark}`}`;
  await clearStaleLocks(home);
  const starting = pgCtl(server, 'start', '-l', LOG, '-o', settings);

  const ended = { yes: false };
  const outcome = starting.finally(() => {
    ended.yes = true;
  });
  const stopEarly = async () => {
    while (!ended.yes) await pgCtl(server, 'stop', '-m', 'fast');
  };
  let stopping: Promise<void> | undefined;
  const onAbort = () => {
    stopping = stopEarly();
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const { status, stderr } = await outcome;
    if (signal?.aborted) {
      await stopping;
      await pgCtl(server, 'stop', '-m', 'fast');
      throw interrupted();
    }
    if (status === 0) return;
    const last = (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-4).join('; ');
    throw new SnapshotError('CLUSTER_START', `the datastore in ${pgdata} does not start: ${wordsOf(stderr)}: ${last}`, {
      hint: `look into ${log}`,
    });
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Whether the command line of a home's server has a setting: it tells who has started it, and what for. */
export async function wasStartedWith(home: string, setting: string): Promise<boolean> {
  const options = await readFile(join(pgdataOf(home), 'postmaster.opts'), 'utf8').catch(() => '');
  return options.includes(setting);
}

/**
 * Stops the server; one that is not running is stopped already.
 *
 * @throws `CLUSTER_STOP`
 */
export async function stopServer(server: ManagedServer): Promise<void> {
  const { status, stderr } = await pgCtl(server, 'stop', '-m', 'fast');
  if (status === 0 || /no server running|does not exist|is not a database cluster/i.test(stderr)) return;
  throw new SnapshotError(
    'CLUSTER_STOP',
    `the datastore in ${pgdataOf(server.home)} does not stop: ${wordsOf(stderr)}`,
    {
      hint: 'stop it with pg_ctl before starting `leoflow lite`',
    },
  );
}

/** Where a cluster is made, before it is complete and gets its name. */
const UNFINISHED = '.pgdata-provisioning';

/**
 * Makes the cluster of a home, as `leoflow setup` would, and says how to remove every trace of it.
 *
 * @throws `TOOL_NOT_FOUND`, `CLUSTER_ROOT`, `CLUSTER_PROVISION`, `INTERRUPTED`
 */
export async function provision(search: ToolSearch): Promise<{ server: ManagedServer; remove: () => Promise<void> }> {
  const { home, signal } = search;
  const pgdata = pgdataOf(home);
  requireShortSocket(pgdata);
  const initdb = await findInitdb(search);
  if (initdb === undefined) throw toolMissing('initdb', { home });
  const { tool: pgCtlTool } = await findTool('pg_ctl', search, ({ path }) => dirname(path) === dirname(initdb.path));
  if (pgCtlTool === undefined) throw toolMissing('pg_ctl', { home });

  const madeHome = await makeHome(home);
  // Also where there can be none, as `dev` is no directory: then there will be none to remove.
  const hadLog = await stat(join(home, LOG)).then(
    () => true,
    (error: unknown) => systemErrorCode(error) !== 'ENOENT',
  );
  const hadDev = await exists(join(home, 'dev'));
  const unfinished = join(home, UNFINISHED);
  try {
    const server = { home, pgCtl: pgCtlTool, account: await accountFor(home) };
    await rm(unfinished, { recursive: true, force: true });
    const args = ['-D', unfinished, '-U', ROLE, '-A', 'trust', '--encoding=UTF8', '--locale=C'];
    const { status, stderr } = await run(initdb.path, args, { ...surroundings(server), signal });
    if (status !== 0) {
      throw new SnapshotError('CLUSTER_PROVISION', `a datastore could not be made in ${pgdata}: ${wordsOf(stderr)}`, {
        hint: 'free some space there, make it writable, or run `leoflow setup` first',
      });
    }
    await rename(unfinished, pgdata).catch((cause: unknown) => {
      throw new SnapshotError(
        'CLUSTER_PROVISION',
        `a datastore could not be moved to ${pgdata}: ${systemErrorText(cause)}`,
        { hint: 'see what has come to stand there meanwhile; it was not touched', cause },
      );
    });
    // Only from here on is what stands there ours. Of the directories around it, others may have made use meanwhile.
    const remove = async () => {
      await rm(pgdata, { recursive: true, force: true });
      if (!hadLog) await rm(join(home, 'dev', 'postgres.log'), { force: true });
      if (!hadDev) await rmdir(join(home, 'dev')).catch(() => {});
      if (madeHome) await rmdir(home).catch(() => {});
    };
    return { server, remove };
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (madeHome) await rmdir(home).catch(() => {});
    throw error;
  }
}

/** Makes the home where there is none: the owner of the directory around it will own it, too. */
async function makeHome(home: string): Promise<boolean> {
  const first = await mkdir(home, { recursive: true, mode: 0o700 });
  if (first === undefined) return false;
  const { uid, gid } = await stat(dirname(first));
  for (let made = home; made.length >= first.length && process.getuid?.() === 0; made = dirname(made))
    await chown(made, uid, gid);
  return true;
}

function pgCtl(server: ManagedServer, action: 'start' | 'stop', ...args: string[]): Promise<Outcome> {
  const common = ['-D', PGDATA, '-w', '-t', String(PATIENCE)];
  return run(server.pgCtl.path, [...common, ...args, action], surroundings(server));
}

/** No locale of the user's: initdb rejects what an SSH session may forward from another system. */
function surroundings({ home, account }: Pick<ManagedServer, 'home' | 'account'>) {
  const { LC_ALL: _, PGAPPNAME: __, PGCONNECT_TIMEOUT: ___, ...env } = clientEnvironment('clean');
  return { cwd: home, env, ...account };
}

/** @throws `CLUSTER_START` where there can be none */
async function logFile({ home, account }: ManagedServer): Promise<string> {
  const directory = join(home, 'dev');
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (made !== undefined && account !== undefined) await chown(made, account.uid, account.gid);
  } catch (cause) {
    throw new SnapshotError(
      'CLUSTER_START',
      `the datastore in ${pgdataOf(home)} does not start: ${directory}, where its log goes, cannot be made: ${systemErrorText(cause)}`,
      { hint: 'free some space there, make it writable, or move away what stands in its place', cause },
    );
  }
  return join(home, LOG);
}

async function accountFor(path: string): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const { uid, gid } = await stat(path);
  if (uid !== 0) return { uid, gid };
  throw new SnapshotError('CLUSTER_ROOT', `PostgreSQL refuses to run as root, and ${path} belongs to root`, {
    hint: 'run this as the user who runs Leoflow, or give the home to that user (chown -R)',
  });
}

/** Refuses to make a cluster of root's, in a home that need not be there yet. @throws `CLUSTER_ROOT` */
export async function requireAccount(home: string): Promise<void> {
  let place = home;
  while (!(await exists(place))) place = dirname(place);
  await accountFor(place);
}

/**
 * Refuses a data directory whose socket would have too long a path.
 *
 * @throws `CLUSTER_START`
 */
export function requireShortSocket(pgdata: string): void {
  const socket = join(pgdata, `.s.PGSQL.${MANAGED_PORT}`);
  if (Buffer.byteLength(socket) <= LONGEST_SOCKET) return;
  throw new SnapshotError('CLUSTER_START', `the path of the datastore's socket is too long for the system: ${socket}`, {
    hint: `use a home whose socket has a path of at most ${LONGEST_SOCKET} bytes`,
  });
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
