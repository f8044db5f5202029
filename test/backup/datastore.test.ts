/** The dump in the archive: the same database, one moment of it, by the flags the format promises; and what happens when there is none. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claiming, programs } from '../datastore/fixtures.js';
import { readArchive } from '../support/archive.js';
import { backup, leoflow, processesOf } from '../support/cli.js';
import { expectNothingLeft, failingBackup, startBackup, told, untilDumpsWait } from '../support/failures.js';
import { bulkSql, createInstall, SAMPLE_SQL, type TestInstall } from '../support/install.js';
import { lockTable } from '../support/lock.js';
import { freePort, plainEnvironment, postgresBin } from '../support/postgres.js';
import { put } from '../support/tree.js';

const PASSWORD = "pass'word \\ 100%";
let install: TestInstall;
/** The install's server over TCP, where it wants the password. */
let tcp: TestInstall;

beforeAll(async () => {
  [install, tcp] = await Promise.all([
    createInstall({
      sql: `${SAMPLE_SQL}${bulkSql(5e6)}
        CREATE ROLE somebody;
        ALTER TABLE dag OWNER TO somebody;
        GRANT SELECT ON run TO somebody;
        CREATE TABLE locked (n int);
        INSERT INTO locked VALUES (1);`,
    }),
    createInstall({ cluster: { port: 0, password: PASSWORD } }),
  ]);
  put(join(install.workspace, 'dag.py'), 'print("hello")\n');
});
afterAll(async () => {
  await install?.remove();
  await tcp?.remove();
});

/** pg_dump of a database, without what is random. */
function dumpOf(database: string, ...flags: string[]): string {
  const dump = execFileSync(join(postgresBin(), 'pg_dump'), [...flags, '-d', install.cluster.urlOf(database)], {
    encoding: 'utf8',
    env: plainEnvironment(),
    maxBuffer: 1 << 28,
  });
  return dump.replaceAll(/^\\(un)?restrict .*$/gm, '');
}

function replay(sql: Buffer | string, database: string): void {
  execFileSync(
    join(postgresBin(), 'psql'),
    ['-Xq', '-v', 'ON_ERROR_STOP=1', '-d', install.cluster.urlOf(database), '-f', '-'],
    {
      input: sql,
      env: { ...plainEnvironment(), PGOPTIONS: '--client-min-messages=warning' },
      stdio: ['pipe', 'ignore', 'pipe'],
    },
  );
}

describe('the dump', () => {
  let sql: Buffer;
  beforeAll(async () => {
    const result = await backup({ home: install.home, output: install.archive });
    sql = readArchive(install.archive).find(({ name }) => name === 'datastore.sql')?.content as Buffer;
    expect(result.datastore).toEqual({
      source: join(install.home, 'pgdata', '.s.PGSQL.5432'),
      bytes: sql.length,
      cluster: 'running',
    });
    // Several slices, or the test is of something else.
    expect(sql.length).toBeGreaterThan(5e6);
    execFileSync('rm', [install.archive]);
  });

  test('in an empty database gives the same pg_dump as the source', async () => {
    await install.cluster.psql('CREATE DATABASE empty', 'postgres');
    replay(sql, 'empty');
    const flags = ['--no-owner', '--no-privileges'];
    expect(dumpOf('empty', ...flags)).toBe(dumpOf('leoflow_dev', ...flags));
  });

  test('replaces what is there', async () => {
    await install.cluster.psql('CREATE DATABASE used', 'postgres');
    replay(`${SAMPLE_SQL} DELETE FROM run; INSERT INTO dag VALUES ('other');`, 'used');
    replay(sql, 'used');
    const flags = ['--no-owner', '--no-privileges'];
    expect(dumpOf('used', ...flags)).toBe(dumpOf('leoflow_dev', ...flags));
  });

  test('is what pg_dump --clean --if-exists --no-owner --no-privileges prints', () => {
    const flags = ['--clean', '--if-exists', '--no-owner', '--no-privileges', '--format=plain'];
    const text = sql.toString().replaceAll(/^\\(un)?restrict .*$/gm, '');
    expect(text).toBe(dumpOf('leoflow_dev', ...flags));
    expect(text).toMatch(/^DROP TABLE IF EXISTS public\.run;$/m);
    expect(text).not.toMatch(/OWNER TO|^GRANT |^REVOKE /m);
  });

  test('is of one moment: what happens while pg_dump works is not in it', async () => {
    const release = await lockTable(install.cluster, 'locked');
    const output = join(install.base, 'moment.tar.gz');
    try {
      const run = backup({ home: install.home, output });
      run.catch(() => {});
      await untilDumpsWait(install, run);
      await install.cluster.psql(`INSERT INTO dag VALUES ('too late'); INSERT INTO run (dag) VALUES ('too late')`);
      await release();
      await run;
    } finally {
      await release();
      await install.cluster.psql(`DELETE FROM run WHERE dag = 'too late'; DELETE FROM dag WHERE id = 'too late'`);
    }
    const content = readArchive(output)
      .find(({ name }) => name === 'datastore.sql')
      ?.content.toString();
    expect(content).toContain('COPY public.locked');
    expect(content).not.toContain('too late');
  });
});

test('passwords never stand on a command line', async () => {
  await tcp.cluster.psql('CREATE TABLE held (n int)');
  const release = await lockTable(tcp.cluster, 'held');
  try {
    const env = { LEOFLOW_DATABASE_URL: tcp.cluster.tcpUrl };
    const run = startBackup(tcp, [], { env });
    await untilDumpsWait(tcp, run.ended);
    const children = processesOf('leoflow_dev').filter((line) => line.includes(`port='${tcp.cluster.port}'`));
    expect(children).toHaveLength(1);
    expect(children[0]).toContain('pg_dump');
    expect(processesOf('pass')).not.toContainEqual(expect.stringMatching(/pass(%27|'|\\')word/));
    await release();
    expect(await run.ended).toMatchObject({ status: 0 });
  } finally {
    await release();
  }
});

describe('without a datastore nothing is written, and it says', () => {
  test('that it is not running, and where it was looked for', async () => {
    const { home } = install.another();
    const port = await freePort();
    put(join(home, 'dev', 'db-port'), `${port}\n`);
    const { status, error, hint } = await failingBackup(install, ['--home', home]);
    expect(status).toBe(1);
    expect(error).toBe(
      `the datastore is not running: tried ${join(home, 'pgdata', '.s.PGSQL.5432')}: No such file or directory; localhost:${port}: Connection refused`,
    );
    expect(hint).toBe(
      'start Leoflow Lite in another terminal (`leoflow lite`) and run this again while it is running; a backup can also start the datastore by itself: --start-datastore',
    );
  });

  test('which address does not answer', async () => {
    const port = await freePort();
    const dsn = `postgres://leoflow@127.0.0.1:${port}/leoflow_dev`;
    const { status, error } = await failingBackup(install, ['--dsn', dsn]);
    expect({ status, error }).toEqual({
      status: 1,
      error: `the database at 127.0.0.1:${port} cannot be used: Connection refused`,
    });
  });

  test('that the password is wrong', async () => {
    for (const env of [
      { LEOFLOW_DATABASE_URL: `postgres://leoflow:wrong@127.0.0.1:${tcp.cluster.port}/leoflow_dev` },
      { LEOFLOW_DATABASE_URL: `postgres://leoflow@127.0.0.1:${tcp.cluster.port}/leoflow_dev`, PGPASSWORD: 'wrong' },
    ]) {
      const { status, error, hint } = await failingBackup(tcp, [], { env });
      expect(status).toBe(1);
      expect(error).toBe(
        `the database server at 127.0.0.1:${tcp.cluster.port} refused the login: password authentication failed for user "leoflow"`,
      );
      expect(hint).toBe('check the user and the password in the database address (or in PGPASSWORD or ~/.pgpass)');
    }
  });

  test('that there is no pg_dump, or no psql', async () => {
    for (const name of ['pg_dump', 'psql']) {
      const bin = await programs(install.base, { [name]: null });
      const { status, error, hint } = await failingBackup(install, ['--pg-bin', bin]);
      expect({ status, error }).toEqual({ status: 1, error: `there is no working ${name} in ${bin}` });
      expect(hint).toContain('--pg-bin');
    }
  });

  test('that pg_dump is older than the server', async () => {
    const bin = await programs(install.base, { pg_dump: claiming('pg_dump', '9.6.24') });
    const { status, error, hint } = await failingBackup(install, ['--pg-bin', bin]);
    const version = await install.cluster.psql('SHOW server_version');
    expect(status).toBe(1);
    expect(error).toBe(
      `pg_dump 9.6.24 (${join(bin, 'pg_dump')}) is older than the server, which is PostgreSQL ${version}`,
    );
    expect(hint).toContain('install the client of PostgreSQL');
  });

  test('that the managed cluster has another database', async () => {
    const { status, error } = await failingBackup(install, ['--dsn', install.cluster.urlOf('missing')]);
    expect(status).toBe(1);
    expect(error).toMatch(/cannot be used: .*database "missing" does not exist$/);
  });
});

describe('a pg_dump that dies in the middle fails the backup', () => {
  const half = '"$REAL/pg_dump" "$@" | head -c 3000000';
  const version = 'if [ "$1" = --version ]; then exec "$REAL/pg_dump" --version; fi';

  test('with an exit status, and its own words', async () => {
    const words = 'pg_dump: error: Dumping the contents of table "run" failed: PQgetResult() failed.';
    const bin = await programs(install.base, { pg_dump: `${version}\n${half}\necho '${words}' >&2\nexit 1` });
    const { status, error, hint } = await failingBackup(install, ['--pg-bin', bin]);
    expect({ status, error }).toEqual({
      status: 1,
      error: `pg_dump of ${join(install.home, 'pgdata', '.s.PGSQL.5432')} failed: Dumping the contents of table "run" failed: PQgetResult() failed.`,
    });
    expect(hint).toContain('server log');
  });

  test('with an exit status alone', async () => {
    const bin = await programs(install.base, { pg_dump: `${version}\n${half}\nexit 3` });
    const { status, error } = await failingBackup(install, ['--pg-bin', bin]);
    expect(status).toBe(1);
    expect(error).toMatch(/^pg_dump of .* failed: exit status 3$/);
  });

  test('by a signal', async () => {
    const bin = await programs(install.base, { pg_dump: `${version}\n${half}\nkill -9 $$` });
    const { status, error } = await failingBackup(install, ['--pg-bin', bin]);
    expect(status).toBe(1);
    expect(error).toMatch(/^pg_dump of .* failed: SIGKILL$/);
  });

  test('by a server that ends its session', async () => {
    const release = await lockTable(install.cluster, 'locked');
    try {
      const run = startBackup(install);
      await untilDumpsWait(install, run.ended);
      await install.cluster.psql(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leoflow-snapshot'`,
        'postgres',
      );
      const { status, error } = told(await run.ended);
      expect(status).toBe(1);
      expect(error).toMatch(/^pg_dump of .* failed: .*terminating connection due to administrator command/);
      await expectNothingLeft(install);
    } finally {
      await release();
    }
  });

  test('and leaves an older archive as it was', async () => {
    writeFileSync(install.archive, 'the archive of yesterday', { mode: 0o640 });
    const bin = await programs(install.base, { pg_dump: `${version}\n${half}\nexit 1` });
    expect((await failingBackup(install, ['--pg-bin', bin])).status).toBe(1);
    expect(readFileSync(install.archive, 'utf8')).toBe('the archive of yesterday');
    execFileSync('rm', [install.archive]);
  });

  test('in a library call too, which ends when the child has', async () => {
    // It says goodbye slowly: whoever calls the library must not find it still there.
    const bin = await programs(install.base, {
      pg_dump: `${version}\ntrap 'sleep 0.5; exit 1' TERM\necho 'SELECT 1;'\nwhile :; do sleep 0.1; done`,
    });
    const controller = new AbortController();
    const run = backup({
      home: install.home,
      output: install.archive,
      pgBin: bin,
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'progress' && event.progress.dumpBytes > 0) controller.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect(processesOf(join(bin, 'pg_dump'))).toEqual([]);
    await expectNothingLeft(install);
  });
});

describe('a migration while the dump is made', () => {
  /** The failure of a backup of a datastore to which something is done while its pg_dump waits. */
  async function whileDumping(sql: string) {
    const release = await lockTable(install.cluster, 'locked');
    try {
      const run = startBackup(install);
      await untilDumpsWait(install, run.ended);
      await install.cluster.psql(sql);
      await release();
      return told(await run.ended);
    } finally {
      await release();
    }
  }

  test('fails the backup: the manifest would name a schema that the dump may not have', async () => {
    try {
      const { status, error, hint } = await whileDumping('UPDATE schema_migrations SET version = 16');
      expect({ status, error, hint }).toEqual({
        status: 1,
        error: expect.stringMatching(/^the schema of .* went from version 15 to 16 while it was dumped$/),
        hint: 'wait for the upgrade to end, and run the backup again',
      });
      await expectNothingLeft(install);
    } finally {
      await install.cluster.psql('UPDATE schema_migrations SET version = 15');
    }
  });

  test('also the very first one', async () => {
    await install.cluster.psql('ALTER TABLE schema_migrations RENAME TO no_migrations');
    try {
      const sql = 'CREATE TABLE schema_migrations (version bigint); INSERT INTO schema_migrations VALUES (1)';
      const { status, error } = await whileDumping(sql);
      expect({ status, error }).toMatchObject({
        status: 1,
        error: expect.stringContaining('from version 0 to 1 while'),
      });
      await expectNothingLeft(install);
    } finally {
      await install.cluster.psql('DROP TABLE schema_migrations; ALTER TABLE no_migrations RENAME TO schema_migrations');
    }
  });
});

test('an empty database is a dump too', async () => {
  await install.cluster.psql('CREATE DATABASE bare', 'postgres');
  const result = await backup({ home: install.home, output: install.archive, dsn: install.cluster.urlOf('bare') });
  expect(result.manifest.schema_version).toBe(0);
  expect(result.manifest.datastore?.database).toBe('bare');
  execFileSync('rm', [install.archive]);
});

test('a home without its own PostgreSQL uses the one on the machine; its own one comes first', async () => {
  const { home, dsn } = install.another();
  mkdirSync(join(home, 'postgres', 'bin'), { recursive: true });
  for (const name of ['psql', 'pg_dump']) {
    const path = join(home, 'postgres', 'bin', name);
    writeFileSync(path, `#!/bin/sh\necho ${name} >> '${home}/used'\nexec '${join(postgresBin(), name)}' "$@"\n`);
    chmodSync(path, 0o755);
  }
  const output = join(install.base, 'own.tar.gz');
  expect(await leoflow(['lite', 'backup', '--home', home, '--dsn', dsn, '-o', output])).toMatchObject({ status: 0 });
  expect(new Set(readFileSync(join(home, 'used'), 'utf8').trim().split('\n'))).toEqual(new Set(['psql', 'pg_dump']));
});
