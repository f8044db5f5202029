/**
 * Replays a dump inside the live database: the way out where the role may create neither databases nor roles.
 *
 * Everything the role owns there is dropped first, in the same transaction as the replay. So what a newer release has added does not survive a rollback
 * to an older one, and a failure changes nothing. The walls are lower than the sandbox's: the dump acts as the user's own role, and psql's lock and
 * the server's rules for that role are all there is. A role that could reach beyond its database is therefore refused.
 */
import { SnapshotError } from '../../errors.js';
import type { Connection } from '../connection.js';
import { PsqlError, queryFailure, queryJson } from '../psql.js';
import { replay } from './locked-psql.js';

/** Where a dump is replayed in place. */
export interface InPlaceTarget {
  /** Absolute path of a psql that knows `\restrict`. */
  psql: string;
  /** The live database. */
  connection: Connection;
  /** For people. */
  source: string;
  /** 150018. */
  serverVersionNum: number;
}

export interface InPlaceOptions {
  endSessions: boolean;
  beforeCommit?: (transaction: string) => Promise<void>;
  signal?: AbortSignal | undefined;
}

/**
 * Replaces the content of the live database by a dump's, in one transaction.
 *
 * @param options `endSessions`: end the other sessions of the role first; `beforeCommit`: told the transaction's number ({@link isCommitted}) when
 *   everything but the commit is done
 * @throws `REPLAY_FAILED`, `INTERRUPTED`; nothing is changed then
 */
export async function replaceContent(
  target: InPlaceTarget,
  dump: AsyncIterable<Uint8Array>,
  { endSessions, beforeCommit, signal }: InPlaceOptions,
): Promise<void> {
  const { psql, connection, serverVersionNum } = target;
  const before = `SET LOCAL search_path = ''; SELECT pg_catalog.txid_current();${endSessions ? END_SESSIONS : ''}${CLEAR}`;
  await replay(dump, {
    psql,
    connection,
    serverVersionNum,
    before,
    ...(beforeCommit !== undefined && { beforeCommit }),
    signal,
  });
}

/** Those of our own role; whoever else holds a lock is waited for as long as lock_timeout says. */
const END_SESSIONS = `
SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND usename = CURRENT_USER AND pid <> pg_catalog.pg_backend_pid();`;

/** Refuses a role that could do harm beyond the database. @throws `REPLAY_UNSAFE` */
export async function requireHarmlessRole(target: InPlaceTarget, signal: AbortSignal | undefined): Promise<void> {
  const powers = await queryJson<string[]>(target.psql, target.connection, POWERS, signal).catch((error: unknown) => {
    throw error instanceof PsqlError ? queryFailure(target.source, error) : error;
  });
  if (powers.length === 0) return;
  throw new SnapshotError(
    'REPLAY_UNSAFE',
    `the dump would be replayed with more power than its own database: the role is ${powers.join(', ')}`,
    {
      hint: 'use a role that may create databases and roles (then a sandbox is used), or one that may do nothing beyond its database',
    },
  );
}

const POWERS = `
  SELECT coalesce(json_agg(power), '[]') FROM (
    SELECT unnest(ARRAY[
      CASE WHEN rolsuper THEN 'a superuser' END,
      CASE WHEN rolcreaterole THEN 'allowed to create roles' END,
      CASE WHEN rolreplication THEN 'allowed to replicate' END]) AS power
    FROM pg_roles WHERE rolname = current_user
    UNION ALL
    SELECT 'a member of ' || rolname FROM pg_roles
    WHERE rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
      AND pg_has_role(oid, 'MEMBER')) AS powers
  WHERE power IS NOT NULL;`;

/** Drops what the role owns outside of extensions. Much of it goes with something else: hence IF EXISTS. */
const CLEAR = `
SET LOCAL client_min_messages = warning; SET LOCAL lock_timeout = '60s';
DO $clear$
DECLARE statement text;
BEGIN
  FOR statement IN
    WITH own AS (
      SELECT oid, nspname FROM pg_catalog.pg_namespace
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
    extension AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e')
    SELECT pg_catalog.format('DROP SCHEMA IF EXISTS %I CASCADE', n.nspname)
    FROM own o JOIN pg_catalog.pg_namespace n USING (oid)
    WHERE n.nspname <> 'public' AND pg_catalog.pg_has_role(n.nspowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND objid = n.oid)
    UNION ALL
    SELECT pg_catalog.format('DROP %s IF EXISTS %I.%I CASCADE',
      CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE'
        ELSE 'TABLE' END, o.nspname, c.relname)
    FROM own o JOIN pg_catalog.pg_class c ON c.relnamespace = o.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND objid = c.oid)
    UNION ALL
    SELECT pg_catalog.format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::pg_catalog.regprocedure)
    FROM own o JOIN pg_catalog.pg_proc p ON p.pronamespace = o.oid
    WHERE pg_catalog.pg_has_role(p.proowner, 'USAGE')
      AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND objid = p.oid)
    UNION ALL
    SELECT pg_catalog.format('DROP TYPE IF EXISTS %I.%I CASCADE', o.nspname, t.typname)
    FROM own o JOIN pg_catalog.pg_type t ON t.typnamespace = o.oid
    WHERE pg_catalog.pg_has_role(t.typowner, 'USAGE')
      AND (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'c' AND EXISTS (
        SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
      AND NOT EXISTS (SELECT FROM extension WHERE classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND objid = t.oid)
  LOOP
    EXECUTE statement;
  END LOOP;
END $clear$;`;
