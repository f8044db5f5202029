import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatastore } from '../../src/engine/datastore/index.js';
import { leoflow, underModes } from '../support/cli.js';
import { type Cluster, freePort, postgresBin, startCluster } from '../support/postgres.js';
import { claiming, failure, programs, put, temporaryHome } from './fixtures.js';

let cluster: Cluster;
let home: string;
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ home, remove } = await temporaryHome());
  cluster = await startCluster({ port: 0, password: 'the right one' });
  await put(join(home, 'dev', 'db-port'), String(await freePort()));
});
afterAll(async () => {
  await cluster?.stop();
  await remove();
});

describe('a datastore that cannot be reached', () => {
  test('names every place that was tried, why it failed, and that Lite must be running', async () => {
    const error = await failure(openDatastore({ home }));
    expect(error.code).toBe('DATASTORE_UNREACHABLE');
    expect(error.message).toContain(`${join(home, 'pgdata', '.s.PGSQL.5432')}: No such file or directory`);
    expect(error.message).toMatch(/; localhost:\d+: Connection refused/);
    expect(error.hint).toContain('`leoflow lite`');
  });

  test('says so for a named address', async () => {
    const port = await freePort();
    const error = await failure(openDatastore({ home, dsn: `postgres://u:hunter2@127.0.0.1:${port}/x` }));
    expect(error.code).toBe('DATASTORE_UNREACHABLE');
    expect(error.message).toBe(`the database at 127.0.0.1:${port} cannot be used: Connection refused`);
    expect(error.hint).toContain('check the host');
  });

  test('says what the server says of a database that does not exist', async () => {
    const error = await failure(openDatastore({ home, dsn: cluster.urlOf('missing') }));
    expect(error.code).toBe('DATASTORE_UNREACHABLE');
    expect(error.message).toMatch(/database "missing" does not exist$/);
  });

  test('a managed cluster that refuses us is not passed over for the Docker port', async () => {
    const other = await temporaryHome();
    const managed = await startCluster({ dir: join(other.home, 'pgdata') });
    try {
      await managed.psql('DROP DATABASE leoflow_dev', 'postgres');
      await put(join(other.home, 'dev', 'db-port'), String(cluster.port));
      const error = await failure(openDatastore({ home: other.home }));
      expect(error.code).toBe('DATASTORE_UNREACHABLE');
      expect(error.message).toContain('.s.PGSQL.5432 does not let us in: database "leoflow_dev" does not exist');
    } finally {
      await managed.stop();
      await other.remove();
    }
  });
});

test('a managed cluster of somebody else is not passed over, either', async () => {
  const other = await temporaryHome();
  const managed = await startCluster({ dir: join(other.home, 'pgdata') });
  try {
    await put(join(other.home, 'dev', 'db-port'), String(cluster.port));
    await put(join(other.home, 'config.yaml'), `workspace: ${JSON.stringify(process.cwd())}\n`);
    await chmod(managed.dir, 0o600);
    const { status, stderr } = await leoflow(['lite', 'backup', '--home', other.home], { under: underModes });
    expect(status).toBe(1);
    expect(stderr).toMatch(/does not let us in: Permission denied\n/);
    expect(stderr).toContain('hint: run this as the user who runs Leoflow Lite\n');
  } finally {
    await chmod(managed.dir, 0o700);
    await managed.stop();
    await other.remove();
  }
});

describe('a login that is refused', () => {
  test.each(['a wrong one', undefined])('password %s', async (password) => {
    const credentials = password === undefined ? 'leoflow' : `leoflow:${encodeURIComponent(password)}`;
    const dsn = `postgres://${credentials}@127.0.0.1:${cluster.port}/leoflow_dev`;
    const error = await failure(openDatastore({ home, dsn }));
    expect(error.code).toBe('DATASTORE_AUTH');
    expect(error.message).toMatch(/refused the login: .*(password authentication failed|no password supplied)/);
    expect(error.hint).toContain('password');
    expect(`${error.message} ${error.hint}`).not.toContain('a wrong one');
  });
});

describe('an address that is not one', () => {
  test.each([
    ['mysql://u:hunter2@h/d', /neither a postgres:\/\/ URI nor a list/],
    ['hunter2', /neither a postgres:\/\/ URI nor a list/],
    ['postgres://u:hun/ter2@h/d', /an @ where none can be/],
    ['postgres://u:hun@ter2@h/d', /an @ where none can be/],
    ['postgres://u:hunter2@h:port/d', /host or port cannot be read/],
    ['postgres://u:hunter2%zz@h/d', /begins no percent-encoded character/],
    ['postgres://u@h/d?pasword=hunter2', /libpq knows no parameter "pasword"/],
    ['postgres://u@h/d?sslpassword=hunter2', /sslpassword would be visible/],
    ["host=h password='hunter2", /cannot be read from its 2. parameter on/],
    ["host=h dbname='postgres://u:hunter2@h/d'", /itself a connection string/],
  ])('%s', async (dsn, message) => {
    const error = await failure(openDatastore({ home, dsn }));
    expect(error.code).toBe('DSN_INVALID');
    expect(error.kind).toBe('usage');
    expect(error.message).toMatch(message);
    expect(`${error.message} ${error.hint}`).not.toMatch(/hunter2|ter2/);
  });
});

describe("PostgreSQL's programs", () => {
  test.each(['pg_dump', 'psql'])('a named directory without %s', async (name) => {
    const pgBin = await programs(home, { [name]: null });
    const error = await failure(openDatastore({ home, dsn: cluster.url, pgBin }));
    expect(error.code).toBe('TOOL_NOT_FOUND');
    expect(error.message).toBe(`there is no working ${name} in ${pgBin}`);
    expect(error.hint).toContain('--pg-bin');
  });

  test('a pg_dump older than the server', async () => {
    const pgBin = await programs(home, { pg_dump: claiming('pg_dump', '9.6.24') });
    const error = await failure(openDatastore({ home, dsn: cluster.url, pgBin }));
    expect(error.code).toBe('TOOL_TOO_OLD');
    const server = await cluster.psql('SHOW server_version');
    expect(error.message).toBe(
      `pg_dump 9.6.24 (${join(pgBin, 'pg_dump')}) is older than the server, which is PostgreSQL ${server}`,
    );
    expect(error.hint).toMatch(/postgresql-client-\d+/);
  });

  test('an old pg_dump on PATH is passed over for a newer one elsewhere', async () => {
    const old = await programs(home, { pg_dump: claiming('pg_dump', '9.6.24') });
    const path = process.env.PATH;
    process.env.PATH = `${old}:${path}:${postgresBin()}`;
    try {
      const { tools } = await openDatastore({ home, dsn: cluster.url });
      expect(tools.psql).toBe(join(old, 'psql'));
      expect(tools.pgDumpVersion).not.toBe('9.6.24');
    } finally {
      process.env.PATH = path;
    }
  });
});
