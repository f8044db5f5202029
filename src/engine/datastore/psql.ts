/**
 * Questions to the server, asked through psql: the client that every install already has.
 *
 * SQL goes in by stdin, not on the command line, and is safe to run in a database whose content nobody vouches for, as long as it queries nothing but
 * the catalog: the search path is empty, so that only names of `pg_catalog` resolve unqualified, and no policy of a table is run.
 */
import { SnapshotError } from '../errors.js';
import { run } from './child.js';
import type { Connection } from './connection.js';

/** What psql makes of a failure: it could not connect, or the server refused a statement. */
export type PsqlFailure = 'connect' | 'statement';

/** A failed psql; `words` are its own. */
export class PsqlError extends Error {
  override readonly name = 'PsqlError';
  readonly failure: PsqlFailure;
  readonly words: string;

  constructor(failure: PsqlFailure, words: string) {
    super(words);
    this.failure = failure;
    this.words = words;
  }
}

/** psql's arguments for everything done here: no startup file, bare rows, no prompt for a password, stop at the first error. */
export function psqlArguments(connection: Connection): string[] {
  return ['-X', '-A', '-t', '-q', '-w', '-v', 'ON_ERROR_STOP=1', `--dbname=${connection.conninfo}`, '-f', '-'];
}

/** Seconds that a question waits for a lock that somebody else holds. */
const LOCK_TIMEOUT = 30;

/**
 * Runs SQL and returns its rows as psql prints them, fields separated by `|`.
 *
 * @param psql absolute path
 * @throws {@link PsqlError}, or `INTERRUPTED`
 */
export async function query(
  psql: string,
  connection: Connection,
  sql: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const input = `SET search_path = ''; SET row_security = off; SET lock_timeout = '${LOCK_TIMEOUT}s';\n${sql}\n`;
  const outcome = await run(psql, psqlArguments(connection), { env: connection.env, input, signal });
  if (outcome.status === 0) return outcome.stdout.trimEnd();
  // 1: fatal error of its own, 2: the connection, 3: a statement failed
  if (outcome.status === 3) throw new PsqlError('statement', wordsOf(outcome.stderr));
  const words = wordsOf(outcome.stderr) || `psql was ended by ${outcome.by ?? `exit status ${outcome.status}`}`;
  throw new PsqlError('connect', words);
}

/** As {@link query}, for one row that is one JSON value. The caller vouches for its type: it wrote the SQL. */
export async function queryJson<T>(
  psql: string,
  connection: Connection,
  sql: string,
  signal: AbortSignal | undefined,
): Promise<T> {
  return JSON.parse(await query(psql, connection, sql, signal)) as T;
}

/** The error of a statement that should have worked. */
export function queryFailure(source: string, cause: unknown): unknown {
  if (!(cause instanceof PsqlError)) return cause;
  return new SnapshotError('DATASTORE_QUERY', `the datastore at ${source} did not answer a question: ${cause.words}`, {
    hint: "the server's log may say more",
    cause,
  });
}

/** What psql said on stderr, without its own name and line numbers, on one line. */
export function wordsOf(stderr: string): string {
  return stderr
    .split('\n')
    .map((line) => line.replace(/^psql:(?:<stdin>:\d+:)?\s*(?:error:\s*)?/, '').trim())
    .filter((line) => line !== '' && line !== '^')
    .join('; ')
    .replaceAll(/\b(ERROR|FATAL): {2}/g, '');
}

/** A value as an SQL literal, whatever it holds. */
export function literal(value: string): string {
  const quoted = `'${value.replaceAll("'", "''")}'`;
  return value.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** A name as an SQL identifier, whatever it holds. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
