/** What the tests of the datastore share: a throwaway home, and directories of programs that stand in for PostgreSQL's. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { openDatastore, startDump } from '../../src/engine/datastore/index.js';
import { SnapshotError } from '../../src/engine/errors.js';
import { type Cluster, postgresBin, serverAccount } from '../support/postgres.js';

/** A fresh empty directory, short enough for a socket below it; `remove` it in the end. */
export async function temporaryHome(): Promise<{ home: string; remove: () => Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'lfh-'));
  return { home, remove: () => rm(home, { recursive: true, force: true }) };
}

/** A fresh empty directory that a server may use as its home: it belongs to the server's account. */
export async function serverHome(): Promise<{ home: string; remove: () => Promise<void> }> {
  const temporary = await temporaryHome();
  const account = serverAccount();
  if (account !== undefined) await chown(temporary.home, account.uid, account.gid);
  return temporary;
}

/** A dump as pg_dump makes it, with this in its middle. */
export function dumpOf(sql: string): Readable {
  const head =
    '--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.1\n-- Dumped by pg_dump version 15.1\n\n';
  return Readable.from([Buffer.from(`${head}${sql}\n--\n-- PostgreSQL database dump complete\n--\n\n`)]);
}

/** What pg_dump says of a database, without the random key that it locks psql with. */
export async function dumpText(cluster: Cluster, database: string): Promise<string> {
  const dump = startDump(await openDatastore({ home: '/nowhere', dsn: cluster.urlOf(database) }));
  const text = await textOf(dump.stdout);
  await dump.finished;
  return text.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

/**
 * A directory of programs: shell scripts in which `$REAL` is the directory of the real ones. A program not given is the real one, one given as
 * `null` is missing.
 */
export async function programs(home: string, scripts: Record<string, string | null>): Promise<string> {
  const directory = await mkdtemp(join(home, 'bin-'));
  const all = { pg_dump: 'exec "$REAL/pg_dump" "$@"', psql: 'exec "$REAL/psql" "$@"', ...scripts };
  for (const [name, script] of Object.entries(all)) {
    if (script === null) continue;
    const path = join(directory, name);
    await writeFile(path, `#!/bin/sh\nREAL='${postgresBin()}'\n${script}\n`);
    await chmod(path, 0o755);
  }
  return directory;
}

/** A program that is itself but for its version. */
export function claiming(name: string, version: string): string {
  return `if [ "$1" = --version ]; then echo '${name} (PostgreSQL) ${version}'; else exec "$REAL/${name}" "$@"; fi`;
}

/** The error a promise rejects with; fails if it does not, or with something that is no {@link SnapshotError}. */
export async function failure(promise: Promise<unknown>): Promise<SnapshotError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof SnapshotError) return error;
    throw error;
  }
  throw new Error('it should have failed');
}

/** Command lines of the processes that mention a text, this one's `ps` aside. */
export function processesWith(text: string): string[] {
  const lines = execFileSync('ps', ['-eo', 'pid,args', '-ww'], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.includes(text));
}

/** Writes a small file and the directories above it. */
export async function put(path: string, content: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, content);
}

/** Everything a stream of bytes says. */
export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Everything of the server that a dump of one database must not touch. */
export function outside(cluster: Cluster): Promise<string> {
  return cluster.psql(`
    SELECT 'role', rolname, rolsuper, rolcreaterole, rolpassword IS NULL FROM pg_authid ORDER BY 2;
    SELECT 'database', datname, datdba::regrole, datacl, datconnlimit, datistemplate FROM pg_database ORDER BY 2;
    SELECT 'setting', setdatabase, setrole::regrole, setconfig FROM pg_db_role_setting ORDER BY 2, 3;
    SELECT 'member', roleid::regrole, member::regrole FROM pg_auth_members ORDER BY 2, 3;
    SELECT 'tablespace', spcname FROM pg_tablespace ORDER BY 2;
    SELECT 'file', name, setting FROM pg_file_settings;
    SELECT 'treasure', count(*) FROM treasure;
    SELECT 'large object', count(*) FROM pg_largeobject_metadata;
    SELECT 'function', count(*) FROM pg_proc`);
}
