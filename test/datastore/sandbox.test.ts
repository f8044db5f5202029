import { execFileSync } from 'node:child_process';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type ClusterLease,
  dropDatabase,
  leaseCluster,
  openDatastore,
  stageDatabase,
  startDump,
} from '../../src/engine/datastore/index.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { dumpOf, dumpText, outside, temporaryHome } from './fixtures.js';
import { OTHER_RELEASES, RICH } from './sql-samples.js';

let cluster: Cluster;
let lease: ClusterLease;
let home: string;
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ home, remove } = await temporaryHome());
  cluster = await startCluster({ port: 0, password: 'secret' });
  await cluster.psql('CREATE TABLE treasure (id int); INSERT INTO treasure VALUES (1)');
  lease = await leaseCluster({ home, dsn: cluster.url });
});
afterAll(async () => {
  await cluster?.stop();
  await remove();
});

describe('a good dump', () => {
  afterEach(async () => {
    for (const name of (await cluster.psql("SELECT datname FROM pg_database WHERE datname ~ 'staged|source'")).split(
      '\n',
    )) {
      if (name !== '') await dropDatabase(lease, name);
    }
  });

  test('is replayed to the same database, and leaves no role behind', async () => {
    const before = await outside(cluster);
    await cluster.psql('CREATE DATABASE source', 'postgres');
    await cluster.psql(RICH, 'source');
    const dump = startDump(await openDatastore({ home, dsn: cluster.urlOf('source') }));
    const staged = await stageDatabase(lease, dump.stdout);
    await dump.finished;
    expect(await dumpText(cluster, staged.name)).toBe(await dumpText(cluster, 'source'));
    const owners = await cluster.psql(
      `SELECT DISTINCT o FROM (SELECT relowner::regrole::text o FROM pg_class UNION ALL SELECT proowner::regrole::text FROM pg_proc
         UNION ALL SELECT typowner::regrole::text FROM pg_type UNION ALL SELECT extowner::regrole::text FROM pg_extension
         UNION ALL SELECT lomowner::regrole::text FROM pg_largeobject_metadata UNION ALL SELECT datdba::regrole::text FROM pg_database
         UNION ALL SELECT defaclrole::regrole::text FROM pg_default_acl) all_of_them`,
      staged.name,
    );
    expect(owners).toBe('leoflow');
    await staged.discard();
    await staged.discard();
    await cluster.psql('DROP DATABASE source', 'postgres');
    expect(await outside(cluster)).toBe(before);
  });

  test('of an older or newer release is replayed, with and without the lock of pg_dump', async () => {
    for (const preamble of ['', '\\restrict someKey\n']) {
      const staged = await stageDatabase(
        lease,
        dumpOf(preamble + OTHER_RELEASES + preamble.replace('restrict', 'unrestrict')),
      );
      expect(await cluster.psql('SELECT a, b FROM t', staged.name)).toBe('1|x');
      expect(await cluster.psql("SELECT 'a=>1'::hstore -> 'a'", staged.name)).toBe('1');
      await staged.discard();
    }
  });

  test('of the Go implementation is replayed', async () => {
    const archive = new URL('../fixtures/reference-v1.tar.gz', import.meta.url).pathname;
    const sql = execFileSync('tar', ['xzOf', archive, 'datastore.sql']);
    const staged = await stageDatabase(lease, Readable.from([sql]));
    const counts =
      'SELECT (SELECT count(*) FROM sample_dag), (SELECT count(*) FROM sample_run), (SELECT version FROM schema_migrations)';
    expect(await cluster.psql(counts, staged.name)).toBe('2|500|15');
  });

  test('goes into a database like the live one', async () => {
    await cluster.psql(`ALTER DATABASE leoflow_dev SET search_path = "$user", public, "odd ""name";
      ALTER DATABASE leoflow_dev SET application_name = 'it''s'; CREATE ROLE reader; ALTER ROLE reader IN DATABASE leoflow_dev SET work_mem = '5MB';
      REVOKE CONNECT ON DATABASE leoflow_dev FROM PUBLIC; GRANT CONNECT ON DATABASE leoflow_dev TO reader;
      ALTER DATABASE leoflow_dev CONNECTION LIMIT 77`);
    try {
      const staged = await stageDatabase(lease, dumpOf(''));
      const [live, made] = await Promise.all(
        ['leoflow_dev', staged.name].map((name) =>
          cluster.psql(
            `SELECT encoding, datcollate, datctype, datconnlimit, datdba::regrole,
               (SELECT array_agg(a ORDER BY a) FROM unnest(datacl::text[]) a),
               (SELECT array_agg(setrole::regrole || ':' || setconfig::text ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)
             FROM pg_database d WHERE datname = '${name}'`,
            'postgres',
          ),
        ),
      );
      expect(made).toBe(live);
      expect(made).toContain('reader');
    } finally {
      await cluster.psql(`ALTER DATABASE leoflow_dev RESET ALL; ALTER ROLE reader IN DATABASE leoflow_dev RESET ALL;
        ALTER DATABASE leoflow_dev CONNECTION LIMIT -1; GRANT CONNECT ON DATABASE leoflow_dev TO PUBLIC; DROP OWNED BY reader`);
      for (const name of (await cluster.psql("SELECT datname FROM pg_database WHERE datname ~ 'staged'")).split('\n')) {
        if (name !== '') await dropDatabase(lease, name);
      }
      await cluster.psql('DROP ROLE reader');
    }
  });

  test('is replayed over TCP, where the temporary role needs its password', async () => {
    const tcp = await leaseCluster({ home, dsn: cluster.tcpUrl });
    const staged = await stageDatabase(tcp, dumpOf('CREATE TABLE public.t (a int);'));
    expect(await cluster.psql("SELECT tableowner FROM pg_tables WHERE tablename = 't'", staged.name)).toBe('leoflow');
  });

  test('is replayed for a role that is no superuser, but may create databases and roles', async () => {
    await cluster.psql(
      `CREATE ROLE builder LOGIN CREATEDB CREATEROLE; CREATE DATABASE built OWNER builder`,
      'postgres',
    );
    const url = cluster.urlOf('built').replace('leoflow@', 'builder@');
    const builders = await leaseCluster({ home, dsn: url });
    expect(builders.maySwap).toBe(true);
    const staged = await stageDatabase(builders, dumpOf('CREATE TABLE public.t (a int); CREATE EXTENSION hstore;'));
    expect(await cluster.psql("SELECT tableowner FROM pg_tables WHERE tablename = 't'", staged.name)).toBe('builder');
    expect(await cluster.psql("SELECT count(*) FROM pg_roles WHERE rolname ~ 'replay'")).toBe('0');
    await staged.discard();
    await cluster.psql('DROP DATABASE built', 'postgres');
    await cluster.psql('DROP ROLE builder', 'postgres');
  });
});
