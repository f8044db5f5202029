/**
 * The server process of a managed cluster, as `postmaster.pid` names it.
 *
 * That file outlives a power cut or `kill -9`, and process numbers are used again: then it names somebody else's process, PostgreSQL refuses to
 * start, and `pg_ctl stop` would send that process a signal. So a number counts only where the process works in the very directory.
 */
import { readFile, readlink, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MANAGED_PORT, pgdataOf } from '../connection.js';

/** Milliseconds between two looks at whether a server is still there. */
const LOOK = 500;

/** The lock of the data directory, and that of the socket. */
const LOCKS = ['postmaster.pid', `.s.PGSQL.${MANAGED_PORT}.lock`] as const;

/** The process number of a home's server; null where none is running. */
export async function serverPid(home: string): Promise<number | null> {
  const pid = await namedPid(join(pgdataOf(home), LOCKS[0]));
  return pid !== null && (await isServer(pid, home)) ? pid : null;
}

/** Whether a home's server runs: its process is there, or its socket answers (it may run in another container). */
export async function serverRuns(home: string): Promise<boolean> {
  return (await serverPid(home)) !== null || (await listens(join(pgdataOf(home), `.s.PGSQL.${MANAGED_PORT}`)));
}

/** Resolves with true when a home's server is gone, or another one has taken its place; with false when the signal fires. */
export async function serverGone(home: string, signal: AbortSignal | undefined): Promise<boolean> {
  const pid = await serverPid(home);
  while (!signal?.aborted) {
    if (pid === null || (await serverPid(home)) !== pid) return true;
    await sleep(LOOK, undefined, { ...(signal && { signal }) }).catch(() => {});
  }
  return false;
}

/** Removes lock files that name a process of somebody else's, or a dead one. Only for a home at whose socket nobody answers. */
export async function clearStaleLocks(home: string): Promise<void> {
  for (const name of LOCKS) {
    const path = join(pgdataOf(home), name);
    const pid = await namedPid(path);
    // One that names no process at all is known to PostgreSQL for what it is.
    if (pid === null || (await stateOf(pid)) === null || (await isServer(pid, home))) continue;
    await rm(path, { force: true });
  }
}

/** The process that a lock file names. */
async function namedPid(path: string): Promise<number | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return pid > 0 ? pid : null;
}

/** Whether a process is the server that works in a home's data directory. Where the system does not say where it works, its being there must do. */
async function isServer(pid: number, home: string): Promise<boolean> {
  const state = await stateOf(pid);
  if (state === null || state.dead) return false;
  if (state.name === undefined) return true;
  if (!/^postgres|^postmaster/.test(state.name)) return false;
  const directory = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  return directory === null || directory === (await realpath(pgdataOf(home)).catch(() => null));
}

/** A process: its program's name where the system says it, and whether it only waits to be collected; null where there is none. */
async function stateOf(pid: number): Promise<{ name?: string; dead: boolean } | null> {
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'latin1');
    const end = status.lastIndexOf(')');
    return { name: status.slice(status.indexOf('(') + 1, end), dead: status[end + 2] === 'Z' };
  } catch {
    return isThere(pid) ? { dead: false } : null;
  }
}

/** A process that is not ours to signal is there all the same. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socket);
    client.once('connect', () => resolve(true));
    client.once('error', () => resolve(false));
    client.once('close', () => client.destroy());
    client.on('connect', () => client.end());
  });
}
