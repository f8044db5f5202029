/**
 * Where a datastore may be, and the environment in which PostgreSQL's own clients reach it.
 *
 * A connection is what psql and pg_dump get: a string without secrets for their command line, and a whole environment that holds the rest.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDsn, toConninfo } from './dsn.js';

/** How PostgreSQL's clients reach a database. */
export interface Connection {
  /** For `--dbname=…`; never holds a password. */
  conninfo: string;
  /** The complete environment of the child, `PGPASSWORD` included. */
  env: Record<string, string>;
  /** The install's own cluster, its Docker datastore, or what the user named. */
  kind: 'managed' | 'docker' | 'dsn';
  /** What is being connected to, for people: the path of a socket, or `host:port`. */
  address: string;
}

/** The role and the database of a Lite install. */
export const ROLE = 'leoflow';
/** The database of a Lite install. */
export const DATABASE = 'leoflow_dev';
/** The managed cluster listens on no TCP port: this number only names its socket file. */
export const MANAGED_PORT = 5432;

/** Directory of the managed cluster's files and of its socket. */
export function pgdataOf(home: string): string {
  return join(home, 'pgdata');
}

/** The managed cluster's own socket. */
export function managedConnection(home: string, database = DATABASE): Connection {
  const host = pgdataOf(home);
  return {
    kind: 'managed',
    address: join(host, `.s.PGSQL.${MANAGED_PORT}`),
    conninfo: toConninfo(
      Object.entries({ host, port: String(MANAGED_PORT), user: ROLE, dbname: database, sslmode: 'disable' }),
    ),
    env: clientEnvironment('clean'),
  };
}

/** The Docker datastore's port on this machine, as `dev/db-port` names it. */
export async function dockerConnection(home: string, database = DATABASE): Promise<Connection> {
  const named = await readFile(join(home, 'dev', 'db-port'), 'utf8').catch(() => '');
  const port = /^\s*(\d{1,5})\s*$/.exec(named)?.[1] ?? '5432';
  return {
    kind: 'docker',
    address: `localhost:${port}`,
    conninfo: toConninfo(Object.entries({ host: 'localhost', port, user: ROLE, dbname: database, sslmode: 'disable' })),
    env: { ...clientEnvironment('clean'), PGPASSWORD: 'leoflow' },
  };
}

/**
 * A database the user named. Without a password in it, libpq finds one as it always does: `PGPASSWORD`, `PGPASSFILE`, `~/.pgpass`.
 *
 * @param changes parameters that take precedence over the string's own
 * @throws `DSN_INVALID`
 */
export function dsnConnection(dsn: string, changes: Readonly<Record<string, string>> = {}): Connection {
  const { parameters, password } = parseDsn(dsn);
  const merged = new Map([...parameters, ...Object.entries(changes)]);
  const env = clientEnvironment('inherit');
  if (password !== undefined) env.PGPASSWORD = password;
  return { kind: 'dsn', address: addressOf(merged, env), conninfo: toConninfo(merged), env };
}

function addressOf(parameters: ReadonlyMap<string, string>, env: Readonly<Record<string, string>>): string {
  const service = parameters.get('service');
  const host = parameters.get('host') ?? parameters.get('hostaddr') ?? (service === undefined ? env.PGHOST : undefined);
  if (host === undefined && service !== undefined) return `service ${service}`;
  const ports = (parameters.get('port') ?? env.PGPORT ?? '').split(',');
  const hosts = (host ?? '').split(',');
  return hosts
    .map((name, index) => {
      const port = (ports.length === 1 ? ports[0] : ports[index]) || '5432';
      if (name === '') return `the local socket of port ${port}`;
      if (name.startsWith('/')) return join(name, `.s.PGSQL.${port}`);
      return name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`;
    })
    .join(',');
}

/** Settings of a person's interactive sessions that would change what a dump says or where it comes from, and secrets that are none of PostgreSQL's. */
const NEVER_INHERITED =
  /^(?:PG(?:CLIENTENCODING|OPTIONS|SERVICE|DATESTYLE|TZ|GEQO|CLUSTER|DATABASE_URL)|PSQL.*|LC_.*|LANG|LANGUAGE|LEOFLOW_(?:DATABASE|PING)_URL)$/;

/**
 * This process's environment, made fit for a PostgreSQL client: messages in English (they are read), no settings that change results.
 *
 * @param libpq whether the user's own `PG…` variables take part
 */
export function clientEnvironment(libpq: 'clean' | 'inherit'): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || NEVER_INHERITED.test(name)) continue;
    if (libpq === 'clean' && name.startsWith('PG')) continue;
    env[name] = value;
  }
  env.LC_ALL = 'C';
  env.PGAPPNAME = 'leoflow-snapshot';
  env.PGCONNECT_TIMEOUT ??= '10';
  return env;
}

/** The same server, but another database or role. With a role goes its password. */
export function redirect(
  connection: Connection,
  { dbname, role }: { dbname?: string; role?: { name: string; password: string } },
): Connection {
  const parameters = new Map(parseDsn(connection.conninfo).parameters);
  if (dbname !== undefined) parameters.set('dbname', dbname);
  if (role === undefined) return { ...connection, conninfo: toConninfo(parameters) };
  parameters.set('user', role.name);
  // They may name a role, or settings, that are not for this one.
  parameters.delete('options');
  return { ...connection, conninfo: toConninfo(parameters), env: { ...connection.env, PGPASSWORD: role.password } };
}
