import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ClusterLease, leaseCluster, replayInPlace } from '../../src/engine/datastore/index.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { claiming, dumpOf, dumpText, failure, programs, temporaryHome } from './fixtures.js';

let cluster: Cluster;
let lease: ClusterLease;
let home: string;
let remove: () => Promise<void>;
let dsn: string;

beforeAll(async () => {
  ({ home, remove } = await temporaryHome());
  cluster = await startCluster();
  await cluster.psql('CREATE ROLE tenant LOGIN', 'postgres');
  dsn = cluster.urlOf('tenants').replace('leoflow@', 'tenant@');
});
afterAll(async () => {
  await cluster?.stop();
  await remove();
});
beforeEach(async () => {
  await cluster.psql('DROP DATABASE IF EXISTS tenants WITH (FORCE)', 'postgres');
  await cluster.psql('CREATE DATABASE tenants OWNER tenant', 'postgres');
  await cluster.psql(
    `SET ROLE tenant; CREATE EXTENSION hstore; CREATE SCHEMA newer; CREATE TYPE newer.e AS ENUM ('a'); CREATE DOMAIN d AS int;
     CREATE TABLE old (id int PRIMARY KEY, e newer.e, h hstore); INSERT INTO old VALUES (1);
     CREATE TABLE newer.fk (id int REFERENCES old); CREATE VIEW v AS SELECT * FROM old; CREATE MATERIALIZED VIEW m AS SELECT * FROM v;
     CREATE FUNCTION f(newer.e) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE s;
     CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p DEFAULT;`,
    'tenants',
  );
  lease = await leaseCluster({ home, dsn });
});

describe('where the role may create neither databases nor roles', () => {
  test('the lease says so', () => {
    expect(lease.maySwap).toBe(false);
  });

  test('a dump replaces everything of the role, also what it does not know', async () => {
    await replayInPlace(
      lease,
      dumpOf('BEGIN;\nCREATE TABLE public.old (a int);\nCOMMIT;\nINSERT INTO public.old VALUES (7);'),
      { endSessions: false },
    );
    const text = await dumpText(cluster, 'tenants');
    expect(text).toContain('7');
    expect(text).not.toMatch(/newer|CREATE VIEW|CREATE SEQUENCE|CREATE DOMAIN|MATERIALIZED|FUNCTION|PARTITION/);
    expect(text).toContain('CREATE EXTENSION IF NOT EXISTS hstore');
    expect(await cluster.psql("SELECT tableowner FROM pg_tables WHERE tablename = 'old'", 'tenants')).toBe('tenant');
  });

  test.each([
    ['an error at its end', 'CREATE TABLE public.x (a int); SELECT 1/0;'],
    ['a shell command', '\\! touch /tmp/lf-never'],
    ['an end of the transaction', 'DROP TABLE IF EXISTS x; COMMIT; SELECT 1/0;'],
    ['a program', "COPY (SELECT 1) TO PROGRAM 'touch /tmp/lf-never';"],
  ])('a dump with %s changes nothing', async (_, sql) => {
    const before = await dumpText(cluster, 'tenants');
    const error = await failure(replayInPlace(lease, dumpOf(sql), { endSessions: false }));
    expect(error.code).toBe('REPLAY_FAILED');
    expect(await dumpText(cluster, 'tenants')).toBe(before);
    expect(readdirSync(tmpdir())).not.toContain('lf-never');
  });

  test('a dump that is cut off changes nothing', async () => {
    const before = await dumpText(cluster, 'tenants');
    async function* half() {
      yield Buffer.from('CREATE TABLE public.x (a text);\nCOPY public.x (a) FROM stdin;\n1\n');
    }
    expect((await failure(replayInPlace(lease, half(), { endSessions: false }))).message).toContain('cut off');
    expect(await dumpText(cluster, 'tenants')).toBe(before);
  });

  test('sessions are named, or ended', async () => {
    const sleeper = cluster
      .psql('SET ROLE tenant; BEGIN; LOCK TABLE old; SELECT pg_sleep(60)', 'tenants')
      .catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await failure(replayInPlace(lease, dumpOf(''), { endSessions: false }))).code).toBe('DATASTORE_BUSY');
    await cluster.psql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'sleep\\(60' AND pid <> pg_backend_pid()",
    );
    await sleeper;
    await replayInPlace(lease, dumpOf(''), { endSessions: true });
    expect(await dumpText(cluster, 'tenants')).not.toContain('CREATE TABLE');
  });
});

test.each([
  ['CREATEROLE', 'allowed to create roles'],
  ['REPLICATION', 'allowed to replicate'],
  ['IN ROLE pg_write_server_files', 'a member of pg_write_server_files'],
])('a role that reaches further is refused: %s', async (attribute, power) => {
  await cluster.psql(`CREATE ROLE mighty LOGIN ${attribute}; GRANT ALL ON DATABASE tenants TO mighty`, 'postgres');
  try {
    const mighty = await leaseCluster({ home, dsn: dsn.replace('tenant@', 'mighty@') });
    expect(mighty.maySwap).toBe(false);
    const error = await failure(replayInPlace(mighty, dumpOf(''), { endSessions: false }));
    expect(error.code).toBe('REPLAY_UNSAFE');
    expect(error.kind).toBe('refused');
    expect(error.message).toContain(power);
  } finally {
    await cluster.psql('REVOKE ALL ON DATABASE tenants FROM mighty; DROP ROLE mighty', 'postgres');
  }
});

test('nothing is leased with a psql that cannot be locked', async () => {
  const pgBin = await programs(home, { psql: claiming('psql', '17.5') });
  expect((await failure(leaseCluster({ home, dsn, pgBin }))).code).toBe('TOOL_TOO_OLD');
});

test('nothing is replayed by a psql that only claims to be lockable', async () => {
  const pgBin = await programs(home, {
    psql: `if [ "$1" = --version ]; then exec "$REAL/psql" "$1"; fi; sed 's/^.restrict/\\\\nosuch/' | "$REAL/psql" "$@"`,
  });
  const before = await dumpText(cluster, 'tenants');
  const old = await leaseCluster({ home, dsn, pgBin });
  const error = await failure(replayInPlace(old, dumpOf('CREATE TABLE public.x (a int);'), { endSessions: false }));
  expect(error.message).toContain('invalid command \\nosuch');
  expect(await dumpText(cluster, 'tenants')).toBe(before);
});
