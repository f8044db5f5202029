import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ClusterLease,
  leaseCluster,
  stageDatabase,
  stagedName,
  sweepStaged,
} from '../../src/engine/datastore/index.js';
import { SnapshotError } from '../../src/engine/errors.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { dumpOf, failure, outside, processesWith, temporaryHome } from './fixtures.js';

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

describe('a staging that does not end', () => {
  test('is undone when the source of the dump fails, and says what the source says', async () => {
    const before = await outside(cluster);
    async function* broken() {
      yield Buffer.from('CREATE TABLE public.t (a int);\n');
      throw new SnapshotError('DUMP_FAILED', 'the archive is damaged');
    }
    expect((await failure(stageDatabase(lease, broken()))).message).toBe('the archive is damaged');
    expect(await outside(cluster)).toBe(before);
  });

  test('is undone by an abort, with a source that says nothing more', async () => {
    const before = await outside(cluster);
    const stop = new AbortController();
    const name = stagedName();
    const silent = new Readable({ read() {} });
    silent.push('CREATE TABLE public.t (a int);\nSELECT pg_sleep(30);\n');
    setTimeout(() => stop.abort(), 700);
    const error = await failure(stageDatabase(lease, silent, { signal: stop.signal, name }));
    expect(error.code).toBe('INTERRUPTED');
    expect(silent.destroyed).toBe(true);
    expect(processesWith(name)).toEqual([]);
    expect(await outside(cluster)).toBe(before);
  });

  test('is undone when psql ends with the source still full', async () => {
    const before = await outside(cluster);
    const endless = Readable.from(
      (function* () {
        yield Buffer.from('SELECT * FROM nowhere;\n');
        for (;;) yield Buffer.from('SELECT 1;\n'.repeat(10_000));
      })(),
    );
    const error = await failure(stageDatabase(lease, endless));
    expect(error.message).toContain('at line 1 of the dump: relation "nowhere" does not exist');
    expect(await outside(cluster)).toBe(before);
  });

  test('is reported when the server dies, and swept by the next restore', async () => {
    const before = await outside(cluster);
    const silent = new Readable({ read() {} });
    silent.push('CREATE TABLE public.t (a int);\n');
    const staging = failure(stageDatabase(lease, silent));
    await sleep(700);
    await cluster.crash();
    silent.push('SELECT 1;\n');
    silent.push('-- PostgreSQL database dump complete\n');
    silent.push(null);
    expect((await staging).code).toBe('REPLAY_FAILED');
    await cluster.start();
    expect(await cluster.psql("SELECT count(*) FROM pg_roles WHERE rolname ~ 'replay'")).toBe('1');
    const kept = await stageDatabase(lease, dumpOf(''));
    await sweepStaged(lease);
    expect(await cluster.psql(`SELECT count(*) FROM pg_database WHERE datname = '${kept.name}'`)).toBe('1');
    await kept.discard();
    expect(await outside(cluster)).toBe(before);
  });
});

test('no password of the temporary role stands on a command line', async () => {
  const seen: string[] = [];
  const watched = (async function* () {
    for (const line of ['CREATE TABLE public.t (a int);\n', '-- PostgreSQL database dump complete\n']) {
      await sleep(300);
      seen.push(...processesWith('leoflow_replay_'));
      yield Buffer.from(line);
    }
  })();
  const staged = await stageDatabase(lease, watched);
  await staged.discard();
  expect(seen.some((line) => line.includes('psql'))).toBe(true);
  expect(seen.filter((line) => /password|restrict/i.test(line))).toEqual([]);
});
