import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDatastore, startDump } from '../../src/engine/datastore/index.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { failure, processesWith, programs, temporaryHome, textOf } from './fixtures.js';

let cluster: Cluster;
let home: string;
let remove: () => Promise<void>;

beforeAll(async () => {
  ({ home, remove } = await temporaryHome());
  cluster = await startCluster({ port: 0, password: "o'pen \\sesame/@:?" });
  await cluster.psql(`
    CREATE ROLE somebody;
    CREATE TABLE big (id bigint PRIMARY KEY, text text);
    INSERT INTO big SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 40000) i;
    CREATE TABLE other (id int); ALTER TABLE other OWNER TO somebody; GRANT SELECT ON big TO somebody;`);
});
afterAll(async () => {
  await cluster?.stop();
  await remove();
});

describe('a dump', () => {
  test('is plain SQL that replaces what is there, without owners and grants', async () => {
    const dump = startDump(await openDatastore({ home, dsn: cluster.url }));
    const sql = await textOf(dump.stdout);
    await dump.finished;
    expect(sql).toContain('DROP TABLE IF EXISTS public.big;');
    expect(sql).toContain('COPY public.big (id, text) FROM stdin;');
    expect(sql).not.toMatch(/OWNER TO|^GRANT|^REVOKE/m);
    expect(sql.trimEnd()).toMatch(/PostgreSQL database dump complete/);
  });

  test('waits for its reader, also when pg_dump is done before', async () => {
    const small = await openDatastore({ home, dsn: cluster.urlOf('postgres') });
    const dump = startDump(small);
    await dump.finished;
    await sleep(50);
    expect(await textOf(dump.stdout)).toContain('PostgreSQL database dump complete');
  });

  test('shows no password on any command line, and says none', async () => {
    const password = "o'pen \\sesame/@:?";
    const record = '{ tr "\\0" "\\n" < /proc/$$/cmdline; ps -eo args -ww; } >> "$(dirname "$0")/seen"';
    for (const dsn of [
      cluster.tcpUrl,
      `postgres://127.0.0.1:${cluster.port}/leoflow_dev?user=leoflow&password=${encodeURIComponent(password)}`,
      `host=127.0.0.1 port=${cluster.port} dbname=leoflow_dev user=leoflow password='${password.replaceAll(/[\\']/g, '\\$&')}'`,
    ]) {
      const pgBin = await programs(home, {
        pg_dump: `${record}\nexec "$REAL/pg_dump" "$@"`,
        psql: `${record}\nexec "$REAL/psql" "$@"`,
      });
      const datastore = await openDatastore({ home, dsn, pgBin });
      const dump = startDump(datastore);
      await textOf(dump.stdout);
      await dump.finished;
      const seen = await readFile(join(pgBin, 'seen'), 'utf8');
      expect(seen).toContain('--dbname=');
      expect(seen).not.toContain('sesame');
      expect(`${datastore.source} ${datastore.connection.conninfo}`).not.toContain('sesame');
    }
  });

  test('fails when pg_dump ends badly, though its output looked fine', async () => {
    const pgBin = await programs(home, {
      pg_dump: `[ "$1" = --version ] && exec "$REAL/pg_dump" "$1"; echo 'SELECT 1;'; echo 'pg_dump: error: the disk caught fire' >&2; exit 1`,
    });
    const dump = startDump(await openDatastore({ home, dsn: cluster.url, pgBin }));
    expect(await textOf(dump.stdout)).toBe('SELECT 1;\n');
    const error = await failure(dump.finished);
    expect(error.code).toBe('DUMP_FAILED');
    expect(error.message).toMatch(/failed: the disk caught fire$/);
  });

  test('succeeds when pg_dump only warns', async () => {
    const pgBin = await programs(home, { pg_dump: 'echo "pg_dump: warning: circular" >&2; exec "$REAL/pg_dump" "$@"' });
    const dump = startDump(await openDatastore({ home, dsn: cluster.url, pgBin }));
    await textOf(dump.stdout);
    await dump.finished;
  });

  test('fails with the reason when the server ends its session', async () => {
    const dump = startDump(await openDatastore({ home, dsn: cluster.url }));
    const rest = await begun(dump.stdout);
    await cluster.psql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pg_dump'
      OR application_name = 'leoflow-snapshot'`);
    void rest();
    const error = await failure(dump.finished);
    expect(error.code).toBe('DUMP_FAILED');
    expect(error.message).toMatch(/terminating connection|closed the connection/);
  });

  test('fails when the server dies', async () => {
    const dump = startDump(await openDatastore({ home, dsn: cluster.url }));
    const rest = await begun(dump.stdout);
    await cluster.crash();
    void rest();
    try {
      expect((await failure(dump.finished)).code).toBe('DUMP_FAILED');
    } finally {
      await cluster.start();
    }
  });

  test('an abort ends pg_dump, also one that does not read signals at once', async () => {
    for (const pg_dump of ['exec "$REAL/pg_dump" "$@"', TRAPPED]) {
      const pgBin = await programs(home, { pg_dump });
      const datastore = await openDatastore({ home, dsn: cluster.url, pgBin });
      const stop = new AbortController();
      const dump = startDump(datastore, stop.signal);
      await begun(dump.stdout);
      stop.abort();
      expect((await failure(dump.finished)).code).toBe('INTERRUPTED');
      expect(processesWith(pgBin)).toEqual([]);
      expect(processesWith(datastore.connection.conninfo)).toEqual([]);
    }
  });

  test('a reader that gives up ends pg_dump, also one that waits for a lock', async () => {
    const lock = cluster.psql('BEGIN; LOCK TABLE big; SELECT pg_sleep(3); COMMIT;');
    await sleep(300);
    const pgBin = await programs(home, {});
    const datastore = await openDatastore({ home, dsn: cluster.url, pgBin });
    const dump = startDump(datastore);
    await sleep(200);
    dump.stdout.destroy();
    expect((await failure(dump.finished)).code).toBe('DUMP_FAILED');
    expect(processesWith(datastore.connection.conninfo)).toEqual([]);
    await lock;
  });

  test('is not started after an abort', async () => {
    const datastore = await openDatastore({ home, dsn: cluster.url });
    expect(() => startDump(datastore, AbortSignal.abort())).toThrow('interrupted');
  });
});

/** A pg_dump deaf to SIGTERM. */
const TRAPPED = `[ "$1" = --version ] && exec "$REAL/pg_dump" "$1"; trap '' TERM; echo 'SELECT 1;'; while :; do sleep 0.1; done`;

/** Waits for the first bytes of a stream; what it returns reads the rest. */
async function begun(stream: Readable): Promise<() => Promise<void>> {
  const chunks = stream[Symbol.asyncIterator]();
  await chunks.next();
  return async () => {
    while (!(await chunks.next()).done);
  };
}
