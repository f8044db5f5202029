/**
 * Statements about databases and roles, as against statements inside the live database.
 *
 * A database can be renamed or dropped only by a session of another one, so all of them go to a maintenance database.
 */
import { SnapshotError } from '../../errors.js';
import { type Connection, redirect } from '../connection.js';
import { literal, PsqlError, query, queryFailure } from '../psql.js';

/** Who administers a server, and from where. */
export interface Admin {
  /** Absolute path. */
  psql: string;
  /** A database other than the live one. */
  maintenance: Connection;
  /** For people. */
  source: string;
}

/**
 * Runs SQL in the maintenance database, or in the one named.
 *
 * @throws `DATASTORE_QUERY`, or what `explain` makes of psql's words
 */
export async function administer(
  admin: Admin,
  sql: string,
  options: {
    database?: string;
    signal?: AbortSignal | undefined;
    explain?: (words: string) => SnapshotError | undefined;
  } = {},
): Promise<string> {
  const { database, signal, explain } = options;
  const connection = database === undefined ? admin.maintenance : redirect(admin.maintenance, { dbname: database });
  try {
    return await query(admin.psql, connection, sql, signal);
  } catch (error) {
    if (error instanceof PsqlError) throw explain?.(error.words) ?? queryFailure(admin.source, error);
    throw error;
  }
}

/** Which of these databases exist. */
export async function existingDatabases(admin: Admin, names: readonly string[]): Promise<Set<string>> {
  const list = names.map(literal).join(', ');
  const json = await administer(
    admin,
    `SELECT coalesce(json_agg(datname), '[]') FROM pg_database WHERE datname IN (${list});`,
  );
  return new Set(JSON.parse(json) as string[]);
}

/** Asks a database whether it holds tables (or views, or sequences) of the user's: `true` or `false`. */
export const HAS_USER_TABLES = `
  SELECT to_json(EXISTS (
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')));`;

/** Someone connected to a database. */
export interface Session {
  pid: number;
  user: string;
  /** `application_name`; empty where it gives none. */
  application: string;
  /** `local` for the socket, else the address. */
  client: string;
}

/** Who is connected to a database, we ourselves and the server's own workers not counted. */
export async function sessionsOf(admin: Admin, database: string, signal?: AbortSignal): Promise<Session[]> {
  // Who may not look into a session does not see what kind it is.
  const json = await administer(
    admin,
    `SELECT coalesce(json_agg(json_build_object(
       'pid', pid, 'user', coalesce(usename, ''), 'application', coalesce(application_name, ''),
       'client', coalesce(host(client_addr), 'local')) ORDER BY pid), '[]')
     FROM pg_stat_activity
     WHERE datname = ${literal(database)} AND pid <> pg_backend_pid()
       AND CASE WHEN backend_type IS NULL THEN usename IS NOT NULL
             ELSE backend_type NOT IN ('autovacuum worker', 'parallel worker') END;`,
    { signal },
  );
  return JSON.parse(json) as Session[];
}

/** The refusal to work on a database that others use. */
export function busy(database: string, sessions: readonly Session[]): SnapshotError {
  const list = sessions
    .slice(0, 10)
    .map(({ pid, user, application, client }) => `${application || 'a session'} of ${user} (pid ${pid}, ${client})`);
  const more = sessions.length > list.length ? ` and ${sessions.length - list.length} more` : '';
  return new SnapshotError('DATASTORE_BUSY', `the database ${database} is in use by ${list.join(', ')}${more}`, {
    hint: 'stop `leoflow lite` and whatever else is connected, or let --force end these sessions',
  });
}
