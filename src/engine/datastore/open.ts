/**
 * Finds the datastore of an install, connects to it, and picks the programs that serve it.
 *
 * Only "nobody listens there", in a home that has no managed cluster, leads on to the Docker port. A cluster that is stopped, that is starting up, or that
 * refuses the role, is still the install's datastore: going on to whatever answers there would dump somebody else's database.
 */
import { resolve } from 'node:path';
import { SnapshotError } from '../errors.js';
import { claimsDocker, meantDatastore } from './cluster/meant.js';
import { type Connection, dockerConnection, dsnConnection, managedConnection } from './connection.js';
import { PsqlError, query, queryFailure, queryJson } from './psql.js';
import { type PostgresTools, requirePgDump, requirePsql, type Tool } from './tools.js';

/** Which datastore, and with which programs. */
export interface DatastoreOptions {
  /** The Leoflow home. */
  home: string;
  /** The datastore as a libpq URI or keyword/value string. Default: the managed cluster; of a home without one, the Docker port. */
  dsn?: string | undefined;
  /** Directory of `pg_dump` and `psql`. Default: the install's own, then `PATH`, then the usual places. */
  pgBin?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** A datastore that answers. */
export interface Datastore {
  /** For people, without a password: `/home/alice/.leoflow/pgdata/.s.PGSQL.5432` or `localhost:5432/leoflow_dev`. */
  source: string;
  connection: Connection;
  tools: PostgresTools;
  /** Name of the database connected to. */
  database: string;
  /** `15.18 (Debian 15.18-0+deb12u1)`, as `SHOW server_version` says. */
  serverVersion: string;
  /** 150018. */
  serverVersionNum: number;
  /** `schema_migrations.version`; 0 when the table is absent or empty, or no migration is left. */
  schemaVersion: number;
}

/** All but what stands in its tables: a restore replaces that, whatever it is. */
export type DatastoreInUse = Omit<Datastore, 'schemaVersion'>;

/**
 * Finds the datastore (the named one, else the managed cluster, else, where the home has none, the Docker port), connects once, and locates its programs.
 * Nothing is retried.
 *
 * @throws `DATASTORE_UNREACHABLE`, `DATASTORE_AUTH`, `DATASTORE_QUERY`, `DSN_INVALID`, `TOOL_NOT_FOUND`, `TOOL_TOO_OLD`, `INTERRUPTED`;
 *   `CLUSTER_PROVISION` where what stands in the managed cluster's place is none
 */
export async function openDatastore(options: DatastoreOptions): Promise<Datastore> {
  const home = resolve(options.home);
  const search = { home, pgBin: options.pgBin, signal: options.signal };
  const first = options.dsn === undefined ? managedConnection(home) : dsnConnection(options.dsn);
  const psql = await requirePsql(search);
  const { connection, server } = await firstAnswering(psql.path, first, home, options.signal);
  const pgDump = await requirePgDump(search, { major: majorOf(server.num), version: server.version });
  const datastore = describe(connection, server, { pgDump, psql });
  return { ...datastore, schemaVersion: await readSchemaVersion(datastore, server.migrations, options.signal) };
}

/** What a server says of itself and of the database connected to. */
export interface ServerFacts {
  version: string;
  num: number;
  database: string;
  /** `schema_migrations`, quoted and qualified, when there is a plain table of that name whose `version` is a whole number. */
  migrations: string | null;
}

/** 15 of 150018. */
export function majorOf(serverVersionNum: number): number {
  return Math.floor(serverVersionNum / 10_000);
}

/** A view would run what its definition calls, a type of the database's own what it is cast by. */
const FACTS = `
  SELECT json_build_object(
    'version', current_setting('server_version'),
    'num', current_setting('server_version_num')::int,
    'database', current_database(),
    'migrations', (
      SELECT format('%I.%I', n.nspname, c.relname)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relname = 'schema_migrations' AND c.relkind = 'r' AND n.nspname !~ '^pg_'
        AND a.attname = 'version' AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
      ORDER BY n.nspname <> 'public', n.nspname LIMIT 1));`;

/** Asks a server for its facts: one connection, one question. */
export function askServer(psql: string, connection: Connection, signal?: AbortSignal): Promise<ServerFacts> {
  return queryJson<ServerFacts>(psql, connection, FACTS, signal);
}

/** Describes a datastore by a server's facts. */
export function describe(
  connection: Connection,
  server: ServerFacts,
  { pgDump, psql }: { pgDump: Tool; psql: Tool },
): DatastoreInUse {
  const source = connection.kind === 'managed' ? connection.address : `${connection.address}/${server.database}`;
  return {
    source,
    connection,
    tools: { pgDump: pgDump.path, psql: psql.path, pgDumpVersion: pgDump.version, psqlVersion: psql.version },
    database: server.database,
    serverVersion: server.version,
    serverVersionNum: server.num,
  };
}

/**
 * Reads the schema version once more. A dump is of a moment behind the one in which the datastore was opened: where a migration came in between, what was
 * read then is not the version of the dump.
 *
 * @throws `DATASTORE_UNREACHABLE`, `DATASTORE_AUTH`, `DATASTORE_QUERY`, `INTERRUPTED`
 */
export async function schemaVersionNow(datastore: DatastoreInUse, signal: AbortSignal | undefined): Promise<number> {
  const { tools, connection, source } = datastore;
  const { migrations } = await askServer(tools.psql, connection, signal).catch((error: unknown) => {
    if (!(error instanceof PsqlError)) throw error;
    throw error.failure === 'statement' ? queryFailure(source, error) : connectionFailure(connection, error);
  });
  return readSchemaVersion(datastore, migrations, signal);
}

/** The highest version. Copied, not queried: for a query the planner runs functions in the definitions of the table's indexes. */
async function readSchemaVersion(
  { tools, connection, source }: DatastoreInUse,
  migrations: ServerFacts['migrations'],
  signal: AbortSignal | undefined,
): Promise<number> {
  if (migrations === null) return 0;
  let rows: string;
  try {
    rows = await query(tools.psql, connection, `COPY ${migrations} (version) TO STDOUT;`, signal);
  } catch (error) {
    throw queryFailure(source, error);
  }
  const version = rows
    .split('\n')
    .map(Number)
    .reduce((highest, one) => Math.max(highest, one));
  // golang-migrate stores -1 for none, once it has gone all the way down.
  if (version === -1) return 0;
  if (Number.isSafeInteger(version) && version >= 0) return version;
  throw new SnapshotError('DATASTORE_QUERY', `${migrations} at ${source} holds no schema version: ${version}`, {
    hint: 'correct it: it holds the number of the last migration, or -1 for none',
  });
}

interface Answering {
  connection: Connection;
  server: ServerFacts;
}

async function firstAnswering(
  psql: string,
  first: Connection,
  home: string,
  signal: AbortSignal | undefined,
): Promise<Answering> {
  const asked = await askIfListening(psql, first, signal);
  if ('server' in asked) return asked;
  const meant = await meantDatastore(home);
  if (meant.kind === 'managed') throw notRunning([asked.silence], await dockerHint(home));
  const there = await askIfListening(psql, meant.connection, signal);
  if ('server' in there) return there;
  throw notRunning([asked.silence, there.silence]);
}

/** @returns also why nobody listens there, for people. At an address that was named, that is an error, too */
async function askIfListening(
  psql: string,
  connection: Connection,
  signal: AbortSignal | undefined,
): Promise<Answering | { silence: string }> {
  try {
    return { connection, server: await askServer(psql, connection, signal) };
  } catch (error) {
    if (!(error instanceof PsqlError)) throw error;
    if (error.failure === 'statement') throw queryFailure(connection.address, error);
    if (connection.kind === 'dsn') throw dsnFailure(connection, error);
    if (connection.kind === 'managed' && !nobodyListens(error)) throw managedFailure(connection, error);
    return { silence: `${connection.address}: ${reasons(error)}` };
  }
}

function notRunning(silent: readonly string[], more = ''): SnapshotError {
  return new SnapshotError('DATASTORE_UNREACHABLE', `the datastore is not running: tried ${silent.join('; ')}`, {
    hint: `${START_LITE}; a backup can also start the datastore by itself: --start-datastore${more}`,
  });
}

/** For a home whose datastore was in Docker once, and may still be. */
async function dockerHint(home: string): Promise<string> {
  if (!(await claimsDocker(home))) return '';
  const { address } = await dockerConnection(home);
  return `; where it is the one in Docker instead, name that: --dsn postgres://leoflow:leoflow@${address}/leoflow_dev`;
}

const START_LITE = 'start Leoflow Lite in another terminal (`leoflow lite`) and run this again while it is running';

/** The error of one connection that failed. */
export function connectionFailure(connection: Connection, cause: PsqlError): SnapshotError {
  return connection.kind === 'managed' ? managedFailure(connection, cause) : dsnFailure(connection, cause);
}

function managedFailure(connection: Connection, cause: PsqlError): SnapshotError {
  const message = `the datastore at ${connection.address} does not let us in: ${reasons(cause)}`;
  if (isAuthFailure(cause)) {
    return new SnapshotError('DATASTORE_AUTH', message, {
      hint: 'the managed cluster trusts local connections of its owner: check pgdata/pg_hba.conf, or name the database with --dsn',
      cause,
    });
  }
  let hint = START_LITE;
  if (cause.words.includes('is starting up')) hint = 'wait until Leoflow Lite is up and run this again';
  if (cause.words.includes('Permission denied')) hint = 'run this as the user who runs Leoflow Lite';
  return new SnapshotError('DATASTORE_UNREACHABLE', message, { hint, cause });
}

function dsnFailure(connection: Connection, cause: PsqlError): SnapshotError {
  if (isAuthFailure(cause)) {
    return new SnapshotError(
      'DATASTORE_AUTH',
      `the database server at ${connection.address} refused the login: ${reasons(cause)}`,
      {
        hint: 'check the user and the password in the database address (or in PGPASSWORD or ~/.pgpass)',
        cause,
      },
    );
  }
  return new SnapshotError(
    'DATASTORE_UNREACHABLE',
    `the database at ${connection.address} cannot be used: ${reasons(cause)}`,
    {
      hint: 'check the host, the port and the name of the database in the database address, and that the server is running',
      cause,
    },
  );
}

/** Whether there is no server behind the address (as against one that does not let us in); psql's words of all releases from 9 on. */
export function nobodyListens(error: PsqlError): boolean {
  const silence = /(?:failed|could not connect to server): (?:No such file or directory|Connection refused)/;
  return silence.test(error.words) || /socket path .* is too long/.test(error.words);
}

function isAuthFailure(error: PsqlError): boolean {
  return /authentication failed|no password supplied|pg_hba\.conf|role "[^"]*" does not exist|not permitted to log in/.test(
    error.words,
  );
}

/** The distinct reasons in psql's words, without the addresses it repeats. */
function reasons(error: PsqlError): string {
  const found = [...error.words.matchAll(/(?:failed|could not connect to server): (.*?)(?=; |$)/g)].map(
    (match) => match[1] ?? '',
  );
  return found.length === 0 ? error.words : [...new Set(found)].join('; ');
}
