import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inspectCluster, leaseCluster, openDatastore } from '../../src/engine/datastore/index.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { failure, programs, put, temporaryHome } from './fixtures.js';

describe('the datastore of an install', () => {
  let managed: Cluster;
  let docker: Cluster;
  let home: string;
  let remove: () => Promise<void>;

  beforeAll(async () => {
    ({ home, remove } = await temporaryHome());
    managed = await startCluster({ dir: join(home, 'pgdata') });
    docker = await startCluster({ port: 0, password: 'leoflow' });
    await managed.psql('CREATE TABLE schema_migrations (version bigint, dirty boolean)');
    await managed.psql('INSERT INTO schema_migrations VALUES (26, false)');
    await put(join(home, 'dev', 'db-port'), `${docker.port}\n`);
  });
  afterAll(async () => {
    await managed?.stop();
    await docker?.stop();
    await remove();
  });

  test('is the managed socket, where that answers', async () => {
    const found = await openDatastore({ home });
    expect(found.source).toBe(join(home, 'pgdata', '.s.PGSQL.5432'));
    expect(found.connection.kind).toBe('managed');
    expect(found.database).toBe('leoflow_dev');
    expect(found.schemaVersion).toBe(26);
    expect(found.serverVersion).toBe(await managed.psql('SHOW server_version'));
    expect(found.serverVersionNum).toBe(Number(await managed.psql('SHOW server_version_num')));
    expect(found.tools.pgDump).toMatch(/^\/.*pg_dump$/);
    expect(found.tools.psql).toMatch(/^\/.*psql$/);
    expect(found.tools.pgDumpVersion).toMatch(/^\d+\.\d+$/);
  });

  test('has no schema where golang-migrate has gone all the way down, and an error where there is nonsense', async () => {
    const versionOf = async (values: string) => {
      await managed.psql(`DELETE FROM schema_migrations; INSERT INTO schema_migrations ${values}`);
      return (await openDatastore({ home })).schemaVersion;
    };
    try {
      expect(await versionOf('SELECT WHERE false')).toBe(0);
      expect(await versionOf('VALUES (-1, false)')).toBe(0);
      expect(await versionOf('VALUES (9), (20), (10)')).toBe(20);
      // More than a call has arguments.
      expect(await versionOf('SELECT 7 FROM generate_series(1, 300000)')).toBe(7);
      for (const [values, shown] of [
        ['(-7, false)', '-7'],
        ['(9007199254740993, false)', '9007199254740992'],
        ['(NULL, false)', 'NaN'],
      ]) {
        const error = await failure(versionOf(`VALUES ${values}`));
        expect({ code: error.code, message: error.message }).toEqual({
          code: 'DATASTORE_QUERY',
          message: `public.schema_migrations at ${join(home, 'pgdata', '.s.PGSQL.5432')} holds no schema version: ${shown}`,
        });
        // A restore replaces it.
        expect((await leaseCluster({ home })).datastore.database).toBe('leoflow_dev');
      }
    } finally {
      await versionOf('VALUES (26, false)');
    }
  });

  test('is the managed cluster also while that is stopped: a Docker port that answers may be anybody’s', async () => {
    await managed.stop();
    try {
      const error = await failure(openDatastore({ home }));
      expect({ code: error.code, message: error.message }).toEqual({
        code: 'DATASTORE_UNREACHABLE',
        message: `the datastore is not running: tried ${join(home, 'pgdata', '.s.PGSQL.5432')}: No such file or directory`,
      });
      const named = /name that: --dsn (\S+)$/.exec(error.hint ?? '')?.[1];
      expect(named).toBe(`postgres://leoflow:leoflow@localhost:${docker.port}/leoflow_dev`);
      expect((await openDatastore({ home, dsn: named })).source).toBe(`localhost:${docker.port}/leoflow_dev`);
      // As a restore finds it.
      expect((await inspectCluster({ home })).state).toBe('stopped');
      await rm(join(home, 'dev', 'db-port'));
      expect((await failure(openDatastore({ home }))).hint).toMatch(/--start-datastore$/);
    } finally {
      await put(join(home, 'dev', 'db-port'), `${docker.port}\n`);
      await managed.start();
    }
  });

  test('is the Docker port, where the home has no managed cluster', async () => {
    const other = await temporaryHome();
    try {
      await put(join(other.home, 'dev', 'db-port'), `${docker.port}\n`);
      const found = await openDatastore({ home: other.home });
      expect(found.source).toBe(`localhost:${docker.port}/leoflow_dev`);
      expect(found.connection.kind).toBe('docker');
      expect(found.schemaVersion).toBe(0);
    } finally {
      await other.remove();
    }
  });

  test('is none where something else stands in the place of the cluster', async () => {
    const other = await temporaryHome();
    try {
      await put(join(other.home, 'dev', 'db-port'), `${docker.port}\n`);
      await put(join(other.home, 'pgdata', 'base', '1'), '');
      const error = await failure(openDatastore({ home: other.home }));
      expect(error.code).toBe('CLUSTER_PROVISION');
      expect(error.message).toContain('is no datastore that can be used: its PG_VERSION cannot be read');
    } finally {
      await other.remove();
    }
  });

  test.each([
    ['a URI with the socket in its query', (c: Cluster) => c.url],
    ['a URI with a password', (c: Cluster) => c.tcpUrl],
    [
      'a URI with the password in its query',
      (c: Cluster) => `postgresql://127.0.0.1:${c.port}/leoflow_dev?user=leoflow&password=leoflow`,
    ],
    [
      'several hosts, the first of them dead',
      (c: Cluster) => `postgres://leoflow:leoflow@127.0.0.1:1,127.0.0.1:${c.port}/leoflow_dev`,
    ],
    [
      'keywords',
      (c: Cluster) => `host = 127.0.0.1 port=${c.port} user='leoflow' password='leo\\flow' dbname=leoflow_dev`,
    ],
  ])('is what the address names: %s', async (_, address) => {
    const found = await openDatastore({ home, dsn: address(docker) });
    expect(found.connection.kind).toBe('dsn');
    expect(found.database).toBe('leoflow_dev');
    expect(`${found.source} ${found.connection.conninfo}`).not.toContain('password');
  });

  test("takes the password from the user's environment where the address has none", async () => {
    process.env.PGPASSWORD = 'leoflow';
    try {
      const found = await openDatastore({ home, dsn: `postgres://leoflow@127.0.0.1:${docker.port}/leoflow_dev` });
      expect(found.source).toBe(`127.0.0.1:${docker.port}/leoflow_dev`);
    } finally {
      delete process.env.PGPASSWORD;
    }
  });

  test('is found whatever the environment says of PostgreSQL', async () => {
    Object.assign(process.env, {
      PGHOST: '/nowhere',
      PGOPTIONS: '-c search_path=x',
      PGSERVICE: 'none',
      LC_ALL: 'de_DE.UTF-8',
    });
    try {
      expect((await openDatastore({ home })).schemaVersion).toBe(26);
    } finally {
      for (const name of ['PGHOST', 'PGOPTIONS', 'PGSERVICE', 'LC_ALL']) delete process.env[name];
    }
  });

  test("is served by the install's own programs first", async () => {
    const bin = await programs(home, {});
    await put(join(home, 'postgres', 'bin', 'placeholder'), '');
    const { rename } = await import('node:fs/promises');
    await rename(join(bin, 'pg_dump'), join(home, 'postgres', 'bin', 'pg_dump'));
    expect((await openDatastore({ home })).tools.pgDump).toBe(join(home, 'postgres', 'bin', 'pg_dump'));
  });
});
