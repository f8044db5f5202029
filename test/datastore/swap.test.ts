import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type ClusterLease,
  dropDatabase,
  leaseCluster,
  listSessions,
  previousName,
  requireNoSessions,
  stageDatabase,
  swapDatabases,
  undoSwap,
} from '../../src/engine/datastore/index.js';
import { type Cluster, plainEnvironment, postgresBin, startCluster } from '../support/postgres.js';
import { dumpOf, failure, temporaryHome } from './fixtures.js';

let cluster: Cluster;
let lease: ClusterLease;
let home: string;
let remove: () => Promise<void>;
const clients: ChildProcess[] = [];

beforeAll(async () => {
  ({ home, remove } = await temporaryHome());
  cluster = await startCluster();
});
afterAll(async () => {
  await cluster?.stop();
  await remove();
});
beforeEach(async () => {
  await cluster.psql('CREATE TABLE origin AS SELECT 1 AS live');
  lease = await leaseCluster({ home, dsn: cluster.url });
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.kill('SIGKILL');
  const names = await cluster.psql(
    "SELECT datname FROM pg_database WHERE datname !~ '^(template.|postgres)$'",
    'postgres',
  );
  for (const name of names.split('\n')) await dropDatabase(lease, name);
  await cluster.psql('CREATE DATABASE leoflow_dev', 'postgres');
});

const PREVIOUS = 'leoflow_dev_before';

async function staged() {
  const { name } = await stageDatabase(lease, dumpOf('CREATE TABLE public.restored (a int);'));
  return { staged: name, live: 'leoflow_dev', previous: PREVIOUS };
}

async function tables(database = 'leoflow_dev'): Promise<string> {
  return cluster.psql("SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'", database);
}

async function databases(): Promise<string[]> {
  const names = await cluster.psql(
    "SELECT datname FROM pg_database WHERE datname !~ '^template' ORDER BY 1",
    'postgres',
  );
  return names.split('\n');
}

/** A session on the live database, kept up until the test ends. */
async function connect(): Promise<ChildProcess> {
  const env = { ...plainEnvironment(), PGAPPNAME: 'leoflow server' };
  const client = spawn(join(postgresBin(), 'psql'), ['-XAtq', '-d', cluster.url], {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  clients.push(client);
  client.stdin?.write('SELECT 1;\n');
  await once(client.stdout ?? client, 'data');
  return client;
}

describe('a swap', () => {
  test('gives the staged database the live name, and the live one another', async () => {
    const names = await staged();
    await swapDatabases(lease, names, { endSessions: false });
    expect(await tables()).toBe('restored');
    expect(await tables(PREVIOUS)).toBe('origin');
    expect(await databases()).toEqual(['leoflow_dev', PREVIOUS, 'postgres']);
  });

  test('is undone, however often, whether or not it had come to anything', async () => {
    const names = await staged();
    await undoSwap(lease, names);
    await swapDatabases(lease, names, { endSessions: false });
    for (let time = 0; time < 2; time++) {
      await undoSwap(lease, names);
      expect(await tables()).toBe('origin');
      expect(await tables(names.staged)).toBe('restored');
    }
    await dropDatabase(lease, names.staged);
    await undoSwap(lease, names);
    expect(await databases()).toEqual(['leoflow_dev', 'postgres']);
  });

  test('is done and undone without a live database, too', async () => {
    await cluster.psql('DROP DATABASE leoflow_dev', 'postgres');
    lease = await leaseCluster({ home, dsn: cluster.url });
    expect(lease).toMatchObject({ liveExists: false, liveDatabase: 'leoflow_dev', maySwap: true });
    const names = { ...(await staged()), previous: null };
    await swapDatabases(lease, names, { endSessions: false });
    expect(await tables()).toBe('restored');
    await undoSwap(lease, names);
    await undoSwap(lease, names);
    expect(await databases()).toEqual([names.staged, 'postgres'].sort());
  });

  test.each([
    ['the staged database is gone', 'DROP DATABASE STAGED', /there is no database leoflow_staged_/],
    ['the other name is taken', `CREATE DATABASE ${PREVIOUS}`, /there is a database leoflow_dev_before already/],
    ['the live database is gone', 'DROP DATABASE leoflow_dev', /the database leoflow_dev is gone/],
  ])('is not done when %s', async (_, sql, message) => {
    const names = await staged();
    await cluster.psql(sql.replace('STAGED', names.staged), 'postgres');
    const before = await databases();
    const error = await failure(swapDatabases(lease, names, { endSessions: true }));
    expect(error.code).toBe('SWAP_FAILED');
    expect(error.message).toMatch(message);
    expect(await databases()).toEqual(before);
  });
});

test('the name of a previous database fits into what the server keeps of it', () => {
  const time = new Date('2026-05-28T14:30:45.678Z');
  expect(previousName('leoflow_dev', time)).toBe('leoflow_dev_before_restore_20260528T143045Z');
  expect(Buffer.byteLength(previousName('ü'.repeat(31), time))).toBeLessThanOrEqual(63);
});

describe('sessions on the live database', () => {
  test('are named in the refusal', async () => {
    const names = await staged();
    await connect();
    const [session] = await listSessions(lease);
    expect(session).toMatchObject({ user: 'leoflow', application: 'leoflow server', client: 'local' });
    for (const refused of [requireNoSessions, (by: ClusterLease) => swapDatabases(by, names, { endSessions: false })]) {
      const error = await failure(refused(lease));
      expect(error.code).toBe('DATASTORE_BUSY');
      expect(error.kind).toBe('refused');
      expect(error.message).toBe(
        `the database leoflow_dev is in use by leoflow server of leoflow (pid ${session?.pid}, local)`,
      );
    }
    expect(await tables()).toBe('origin');
  });

  test('are ended where that is wanted, also those that come back at once', async () => {
    const names = await staged();
    const idle = await connect();
    let back = true;
    const returning = (async () => {
      while (back) await cluster.psql('SELECT pg_sleep(5)').catch(() => {});
    })();
    await sleep(300);
    await swapDatabases(lease, names, { endSessions: true });
    expect(await tables()).toBe('restored');
    expect(await tables(PREVIOUS)).toBe('origin');
    await undoSwap(lease, names);
    expect(await tables()).toBe('origin');
    back = false;
    await cluster.psql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'leoflow_dev' AND pid <> pg_backend_pid()",
    );
    await returning;
    idle.stdin?.end('SELECT 1;\n');
  });

  test('that we may not end keep the swap from happening', async () => {
    await cluster.psql(
      'CREATE ROLE builder LOGIN CREATEDB CREATEROLE; ALTER DATABASE leoflow_dev OWNER TO builder',
      'postgres',
    );
    lease = await leaseCluster({ home, dsn: cluster.url.replace('leoflow@', 'builder@') });
    const names = await staged();
    await connect();
    const error = await failure(swapDatabases(lease, names, { endSessions: true }));
    expect(error.code).toBe('DATASTORE_BUSY');
    expect(await tables()).toBe('origin');
    for (const client of clients.splice(0)) client.kill('SIGKILL');
    await dropDatabase(lease, names.staged);
    await cluster.psql('REASSIGN OWNED BY builder TO leoflow; DROP ROLE builder', 'postgres');
    lease = await leaseCluster({ home, dsn: cluster.url });
  });
});
