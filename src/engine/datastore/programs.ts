/**
 * PostgreSQL as a whole, server and clients of one release from one directory: what an install's `postgres/bin` leads to.
 */
import { access, constants } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { SnapshotError } from '../errors.js';
import { clusterMajor } from './cluster/server.js';
import { findTools, type ToolSearch } from './tools.js';

/** The programs of an install's `postgres/bin`. */
export const PROGRAMS = ['postgres', 'initdb', 'pg_ctl', 'pg_isready', 'pg_dump', 'psql'] as const;

/** A directory that has all of them. */
export interface ProgramDirectory {
  /** Absolute path; the install's own `postgres/bin` where that has them. */
  directory: string;
  /** `15.18`. */
  version: string;
}

/**
 * The directory of the PostgreSQL that an install uses, or would: of the release that its cluster needs, where it has one.
 *
 * @throws `TOOL_NOT_FOUND`, `CLUSTER_PROVISION`
 */
export async function findPrograms(search: ToolSearch): Promise<ProgramDirectory> {
  const home = resolve(search.home);
  const needed = await clusterMajor(home);
  for await (const { path, version, major } of findTools('initdb', { ...search, home })) {
    const directory = dirname(path);
    if ((needed === undefined || major === needed) && (await hasAll(directory))) return { directory, version };
  }
  const release = needed === undefined ? '' : `-${needed}`;
  const where = search.pgBin === undefined ? 'neither on PATH' : `neither in ${resolve(search.pgBin)}, nor on PATH`;
  throw new SnapshotError(
    'TOOL_NOT_FOUND',
    `there is no PostgreSQL server${needed === undefined ? '' : ` of release ${needed}`}: ${where}, nor in the usual places`,
    {
      hint: `install it (Debian and Ubuntu: sudo apt install postgresql${release}), or name its directory with --pg-bin`,
    },
  );
}

async function hasAll(directory: string): Promise<boolean> {
  try {
    for (const program of PROGRAMS) await access(join(directory, program), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
