/** A database whose content nobody vouches for, as a restore may have brought it: looking at it runs nothing of it. */
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { inspectCluster, leaseCluster, openDatastore } from '../../src/engine/datastore/index.js';
import { type Cluster, serverAccount, startCluster } from '../support/postgres.js';
import { failure, temporaryHome } from './fixtures.js';

let cluster: Cluster;
let home: string;
let remove: () => Promise<void>;
let trap: string;

beforeAll(async () => {
  ({ home, remove } = await temporaryHome());
  trap = await mkdtemp(join(tmpdir(), 'lftrap-'));
  const account = serverAccount();
  if (account !== undefined) await chown(trap, account.uid, account.gid);
  cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.stop();
  await rm(trap, { recursive: true, force: true });
  await remove();
});
beforeEach(async () => {
  await rm(sprung(), { force: true });
  await cluster.psql('DROP DATABASE IF EXISTS strange', 'postgres');
  await cluster.psql('CREATE DATABASE strange', 'postgres');
});

const sprung = () => join(trap, 'sprung');
/** The body of a function that gives itself away. */
const spring = () => `BEGIN COPY (SELECT 1) TO PROGRAM 'touch ${sprung()}'; RETURN 1; END`;

/** Everything that this program asks a database. @returns the version of the schema */
async function askAll(dsn: string): Promise<number> {
  await inspectCluster({ home, dsn });
  const lease = await leaseCluster({ home, dsn });
  await lease.release({ keep: true });
  return (await openDatastore({ home, dsn })).schemaVersion;
}

test.each<[string, number, () => string]>([
  [
    'the cast of a composite type',
    0,
    () => `CREATE TYPE v AS (n int); CREATE TABLE schema_migrations (version v, dirty boolean);
      INSERT INTO schema_migrations VALUES (ROW(15), false);
      CREATE FUNCTION spring(v) RETURNS bigint LANGUAGE plpgsql AS $$ ${spring()} $$;
      CREATE CAST (v AS bigint) WITH FUNCTION spring(v) AS IMPLICIT;`,
  ],
  [
    'a function in the definition of an index',
    15,
    () => `CREATE FUNCTION spring() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
      CREATE FUNCTION constant() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT public.spring()';
      CREATE TABLE schema_migrations (version bigint, dirty boolean); INSERT INTO schema_migrations VALUES (15, false);
      CREATE INDEX ON schema_migrations ((version + constant())) WHERE constant() = 1;
      CREATE OR REPLACE FUNCTION spring() RETURNS int LANGUAGE plpgsql AS $$ ${spring()} $$;`,
  ],
  [
    'a view',
    0,
    () => `CREATE FUNCTION spring() RETURNS bigint LANGUAGE plpgsql AS $$ ${spring()} $$;
      CREATE VIEW schema_migrations AS SELECT spring() AS version;`,
  ],
  [
    'functions and operators named as those of the server',
    26,
    () => `CREATE SCHEMA a; CREATE TABLE a.schema_migrations (version text); CREATE TABLE schema_migrations (version int);
      INSERT INTO schema_migrations VALUES (7), (26);
      CREATE FUNCTION max(int) RETURNS bigint LANGUAGE plpgsql AS $$ ${spring()} $$;
      CREATE FUNCTION isnt(name, text) RETURNS boolean LANGUAGE plpgsql AS $$ ${spring().replace('RETURN 1', 'RETURN true')} $$;
      CREATE OPERATOR <> (LEFTARG = name, RIGHTARG = text, FUNCTION = isnt);
      ALTER DATABASE strange SET search_path = public, pg_catalog;`,
  ],
])('%s', async (_, version, sql) => {
  await cluster.psql(sql(), 'strange');
  expect(await askAll(cluster.urlOf('strange'))).toBe(version);
  expect(existsSync(sprung())).toBe(false);
});

test('a policy that would apply to us is an error', async () => {
  await cluster.psql(
    `CREATE TABLE confessions (who text); CREATE TABLE schema_migrations (version bigint);
     CREATE FUNCTION spring() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.confessions VALUES (current_user); RETURN true; END $$;
     ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON schema_migrations USING (spring());
     INSERT INTO schema_migrations VALUES (15);
     CREATE ROLE guest LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO guest`,
    'strange',
  );
  const dsn = cluster.urlOf('strange').replace('leoflow@', 'guest@');
  expect((await failure(openDatastore({ home, dsn }))).code).toBe('DATASTORE_QUERY');
  expect(await cluster.psql('SELECT count(*) FROM confessions', 'strange')).toBe('0');
});
