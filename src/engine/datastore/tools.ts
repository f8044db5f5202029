/**
 * Where PostgreSQL's client programs are, and which of them are new enough.
 *
 * pg_dump refuses a server of a newer major release, so the first pg_dump found is not always the right one: the candidates are tried in order of
 * nearness to the install, and the first one that fits is taken.
 */
import { access, constants, readdir, realpath, stat } from 'node:fs/promises';
import { basename, delimiter, isAbsolute, join, resolve } from 'node:path';
import { SnapshotError } from '../errors.js';
import { run } from './child.js';

/** The programs that serve one datastore. */
export interface PostgresTools {
  /** Absolute path. */
  pgDump: string;
  /** Absolute path. */
  psql: string;
  /** `15.18`. */
  pgDumpVersion: string;
  /** `15.18`. */
  psqlVersion: string;
}

/** One program found, and what it says of itself. */
export interface Tool {
  /** Absolute path. */
  path: string;
  /** `15.18`, `17beta1`. */
  version: string;
  /** 15. */
  major: number;
  /** 18; 0 for a version that is not out yet. */
  minor: number;
}

/** The directories in which a search looks. */
export interface ToolSearch {
  /** Absolute or relative path of the Leoflow home. */
  home: string;
  /** The only directory to look into, where the user named one. */
  pgBin?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * The directories that may hold PostgreSQL's programs, most wanted first: the named one alone, or the install's own, `PATH`, the usual places (newest
 * release first).
 */
export async function toolDirectories({ home, pgBin }: ToolSearch): Promise<string[]> {
  if (pgBin !== undefined) return [resolve(pgBin)];
  const path = (process.env.PATH ?? '').split(delimiter).filter((directory) => isAbsolute(directory));
  const usual = await Promise.all([
    releases('/usr/lib/postgresql', /^(\d+)$/, 'bin'),
    releases('/usr', /^pgsql-(\d+)$/, 'bin'),
    releases('/opt/homebrew/opt', /^(?:postgresql|libpq)(?:@(\d+))?$/, 'bin'),
    releases('/usr/local/opt', /^(?:postgresql|libpq)(?:@(\d+))?$/, 'bin'),
    releases('/Applications/Postgres.app/Contents/Versions', /^(\d+)$/, 'bin'),
  ]);
  return [...new Set([resolve(home, 'postgres', 'bin'), ...path, ...usual.flat(), '/usr/local/pgsql/bin'])];
}

const SERVER_PROGRAMS = new Set(['initdb', 'pg_ctl']);

/** As {@link toolDirectories}; but the named directory may hold clients only, and a server is the install's own before anybody else's. */
async function serverDirectories({ home, pgBin }: ToolSearch): Promise<string[]> {
  const [own, ...others] = await toolDirectories({ home });
  return [own, pgBin === undefined ? undefined : resolve(pgBin), ...others].filter(
    (directory) => directory !== undefined,
  );
}

async function releases(parent: string, name: RegExp, below: string): Promise<string[]> {
  const names = await readdir(parent).catch(() => []);
  return names
    .map((entry) => ({ entry, match: name.exec(entry) }))
    .filter(({ match }) => match !== null)
    .sort((a, b) => Number(b.match?.[1] ?? 0) - Number(a.match?.[1] ?? 0))
    .map(({ entry }) => join(parent, entry, below));
}

/**
 * Every program of that name in the search's directories, most wanted first, each asked for its version only when its turn comes.
 *
 * Debian's `/usr/bin/pg_dump` is a wrapper that picks a release by the local clusters, not by the server at hand; it is passed over (what it stands
 * for lies in `/usr/lib/postgresql`) unless its directory is the named one.
 */
export async function* findTools(name: string, search: ToolSearch): AsyncGenerator<Tool> {
  for (const directory of SERVER_PROGRAMS.has(name) ? await serverDirectories(search) : await toolDirectories(search)) {
    const path = join(directory, name);
    if (!(await isProgram(path))) continue;
    if (search.pgBin === undefined && basename(await realpath(path)) === 'pg_wrapper') continue;
    const tool = await askVersion(path, search.signal);
    if (tool !== undefined) yield tool;
  }
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Undefined for a program that does not run here, or is no PostgreSQL program. */
async function askVersion(path: string, signal: AbortSignal | undefined): Promise<Tool | undefined> {
  const { status, stdout } = await run(path, ['--version'], { signal }).catch((error: unknown) => {
    if (error instanceof SnapshotError && error.code === 'TOOL_NOT_FOUND') return { status: null, stdout: '' };
    throw error;
  });
  const match = /\)\s+((\d+)(?:\.(\d+))?\S*)/.exec(stdout);
  if (status !== 0 || match === null) return undefined;
  return { path, version: match[1] ?? '', major: Number(match[2]), minor: Number(match[3] ?? 0) };
}

/**
 * The first program of that name that `fits`.
 *
 * @returns the program, or the unfit ones that were seen instead
 */
export async function findTool(
  name: string,
  search: ToolSearch,
  fits: (tool: Tool) => boolean = () => true,
): Promise<{ tool: Tool } | { tool: undefined; unfit: Tool[] }> {
  const unfit: Tool[] = [];
  for await (const tool of findTools(name, search)) {
    if (fits(tool)) return { tool };
    unfit.push(tool);
  }
  return { tool: undefined, unfit };
}

/** The error of a program that is nowhere. */
export function toolMissing(name: string, { home, pgBin }: ToolSearch): SnapshotError {
  if (pgBin !== undefined) {
    return new SnapshotError('TOOL_NOT_FOUND', `there is no working ${name} in ${resolve(pgBin)}`, {
      hint: `name the directory that holds PostgreSQL's pg_dump and psql (for example with --pg-bin)`,
    });
  }
  const own = resolve(home, 'postgres', 'bin');
  return new SnapshotError(
    'TOOL_NOT_FOUND',
    `there is no ${name}: neither in ${own}, nor on PATH, nor in the usual places`,
    {
      hint: 'run `leoflow setup`, or install the PostgreSQL client (Debian: apt install postgresql-client), or name its directory with --pg-bin',
    },
  );
}

/**
 * A psql, whatever its release: it speaks with every server.
 *
 * @throws `TOOL_NOT_FOUND`
 */
export async function requirePsql(search: ToolSearch): Promise<Tool> {
  const { tool } = await findTool('psql', search);
  if (tool === undefined) throw toolMissing('psql', search);
  return tool;
}

/**
 * A pg_dump that can dump a server of this major release.
 *
 * @throws `TOOL_NOT_FOUND`, `TOOL_TOO_OLD`
 */
export async function requirePgDump(search: ToolSearch, server: { major: number; version: string }): Promise<Tool> {
  const found = await findTool('pg_dump', search, (tool) => tool.major >= server.major);
  if (found.tool !== undefined) return found.tool;
  const [first] = found.unfit.sort((a, b) => b.major - a.major);
  if (first === undefined) throw toolMissing('pg_dump', search);
  throw new SnapshotError(
    'TOOL_TOO_OLD',
    `pg_dump ${first.version} (${first.path}) is older than the server, which is PostgreSQL ${server.version}`,
    {
      hint: `install the client of PostgreSQL ${server.major} or newer (Debian: apt install postgresql-client-${server.major}), or name its directory with --pg-bin`,
    },
  );
}
