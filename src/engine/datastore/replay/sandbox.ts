/**
 * Replays a dump that nobody vouches for into a database of its own, by a role that can do nothing else.
 *
 *     create role (no superuser, random password) and database (owned by it)
 *     psql as that role, locked, one transaction        → nothing of the server but this database is in its reach
 *     look at the database from outside                 → the dump changed nothing of how others connect to it, and the server runs nothing of it
 *     hand everything over to the real role, drop the temporary one
 *
 * The session is opened as that role, not by SET ROLE from a mightier one, so no RESET brings anything back. After the handover the objects belong to a
 * role that may be a superuser; therefore nothing of them is run or even read here: no ANALYZE, no view, no function, no table. Nor may autovacuum.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { processLives, processMark } from '../../archive/index.js';
import { SnapshotError, throwIfAborted } from '../../errors.js';
import { type Admin, administer } from '../cluster/admin.js';
import { drop } from '../cluster/swap.js';
import { redirect } from '../connection.js';
import { identifier, literal } from '../psql.js';
import { carryOver, databaseOptions } from './database-properties.js';
import { replay } from './locked-psql.js';
import { requireNoUnaskedCode } from './unasked-code.js';

/** What a staged database and its role are called; behind that, whose they are (a first release did not say), and a random part. */
const STAGED_PREFIX = 'leoflow_staged_';
const ROLE_PREFIX = 'leoflow_replay_';
const SUFFIX = '(?:[0-9a-f]{8}_[0-9]+_[0-9a-f]{8}_)?[0-9a-f]{12}';

/** Staged databases that this process works on: a name tells only whether its process lives. */
const own = new Set<string>();

/** A fresh name for a staged database. */
export function stagedName(): string {
  return `${STAGED_PREFIX}${processMark().replaceAll('-', '_')}_${randomBytes(6).toString('hex')}`;
}

/** Whether a database is called as one is that {@link stagedName} names. */
export function isStagedName(name: string): boolean {
  return new RegExp(`^${STAGED_PREFIX}${SUFFIX}$`).test(name);
}

/** What staging needs to know of a server. */
export interface StageTarget extends Admin {
  /** 150018. */
  serverVersionNum: number;
  /** The database whose place the staged one will take. */
  liveDatabase: string;
  liveExists: boolean;
}

/**
 * Replays a plain dump into a new database. When it throws, neither the database nor the role is left.
 *
 * @param name of the new database, from {@link stagedName}
 * @throws `REPLAY_FAILED`, `REPLAY_UNSAFE`, `DATASTORE_QUERY`, `INTERRUPTED`, whatever the source of the dump throws
 */
export async function stage(
  target: StageTarget,
  dump: AsyncIterable<Uint8Array>,
  name: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const role = { name: roleOf(name), password: randomBytes(24).toString('base64url') };
  own.add(name);
  try {
    await prepare(target, name, role);
    throwIfAborted(signal);
    const connection = redirect(target.maintenance, { dbname: name, role });
    await replay(dump, { psql: target.psql, connection, serverVersionNum: target.serverVersionNum, signal });
    await requireUntouched(target, name);
    await requireNoUnaskedCode(target, name);
    await handOver(target, name, role.name);
  } catch (error) {
    // A server that died keeps what it has; the next restore sweeps it.
    await discard(target, name).catch(() => {});
    throw error;
  }
}

/** Drops a staged database and, where it is still there, its temporary role. Idempotent. */
export async function discard(admin: Admin, name: string): Promise<void> {
  own.delete(name);
  await drop(admin, name);
  if (name.startsWith(STAGED_PREFIX)) await administer(admin, `DROP ROLE IF EXISTS ${identifier(roleOf(name))};`);
}

/**
 * Drops what restores that were killed have left: every staged database and temporary role but those that a process still works on, a verification
 * perhaps. Of one that cannot be asked, its session tells.
 */
export async function sweep(admin: Admin): Promise<void> {
  const json = await administer(
    admin,
    `SELECT coalesce(json_agg(json_build_object('suffix', suffix, 'connected', EXISTS (
       SELECT FROM pg_stat_activity WHERE datname = '${STAGED_PREFIX}' || suffix OR usename = '${ROLE_PREFIX}' || suffix))), '[]')
     FROM (SELECT substr(datname, ${STAGED_PREFIX.length + 1}) AS suffix FROM pg_database WHERE datname ~ '^${STAGED_PREFIX}${SUFFIX}$'
       UNION SELECT substr(rolname, ${ROLE_PREFIX.length + 1}) FROM pg_roles WHERE rolname ~ '^${ROLE_PREFIX}${SUFFIX}$') AS staged;`,
  );
  for (const { suffix, connected } of JSON.parse(json) as { suffix: string; connected: boolean }[]) {
    const name = STAGED_PREFIX + suffix;
    const mark = suffix.split('_').slice(0, 3).join('-');
    const isUsed = mark === processMark() ? own.has(name) : (processLives(mark) ?? connected);
    if (!isUsed) await discard(admin, name);
  }
}

function roleOf(database: string): string {
  return ROLE_PREFIX + database.slice(STAGED_PREFIX.length);
}

async function prepare(target: StageTarget, name: string, role: { name: string; password: string }): Promise<void> {
  const properties = await databaseOptions(target, target.liveExists ? target.liveDatabase : 'template0');
  // A role may give a database away only to a role that it is a member of; a superuser is one of all. No signal ends this: a server whose client is
  // gone goes on to make the database, and what is to be dropped afterwards may come into being after that.
  await administer(
    target,
    `CREATE ROLE ${identifier(role.name)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
       PASSWORD ${literal(scramVerifier(role.password))};
     GRANT ${identifier(role.name)} TO CURRENT_USER;
     CREATE DATABASE ${identifier(name)} OWNER ${identifier(role.name)} TEMPLATE template0 ${properties};`,
  );
  // From 15 on the schema belongs to the owner of the database; before, dumps replace it, which only its owner may do.
  if (target.serverVersionNum < 150_000) {
    await administer(target, `ALTER SCHEMA public OWNER TO ${identifier(role.name)};`, { database: name });
  }
}

/**
 * Looks from outside whether the dump changed the database itself, which its owner may: a search path or a library set here would work on every later
 * session, the superuser's included.
 */
async function requireUntouched(admin: Admin, name: string): Promise<void> {
  const touched = await administer(
    admin,
    `SELECT CASE
       WHEN EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) THEN 'settings of the database'
       WHEN d.datacl IS NOT NULL THEN 'who may connect to the database'
       WHEN d.datconnlimit <> -1 OR d.datistemplate OR NOT d.datallowconn THEN 'whether the database can be connected to' END
     FROM pg_database d WHERE d.datname = ${literal(name)};`,
  );
  if (touched === '') return;
  throw new SnapshotError('REPLAY_FAILED', `the dump changes ${touched}, which a dump of pg_dump never does`, {
    hint: 'the archive was not made by leoflow, or was changed afterwards',
  });
}

/** Gives everything to the role we are, and leaves no trace of the temporary one. */
async function handOver(target: StageTarget, name: string, role: string): Promise<void> {
  await administer(target, `REASSIGN OWNED BY ${identifier(role)} TO CURRENT_USER;`, { database: name });
  // DROP OWNED takes the role's grants and default privileges away. Should anything else still be its own, that would go, too.
  const left = await administer(
    target,
    `SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o'
       AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = ${literal(role)}) AND classid <> 'pg_default_acl'::regclass;`,
    { database: name },
  );
  if (left !== '0')
    throw new SnapshotError(
      'REPLAY_FAILED',
      `${left} objects of the dump cannot be handed over to the role of the install`,
      { hint: 'the archive was not made by leoflow, or was changed afterwards' },
    );
  await administer(target, `DROP OWNED BY ${identifier(role)};`, { database: name });
  await administer(target, `DROP ROLE ${identifier(role)};`);
  if (target.liveExists) await carryOver(target, target.liveDatabase, name);
}

/** What PostgreSQL stores for a password (RFC 5803), so that the password itself stands in no statement and no server log. */
function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const keyOf = (what: string) => createHmac('sha256', salted).update(what).digest();
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  const server = keyOf('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`;
}
