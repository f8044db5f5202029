import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  findPrograms,
  inspectCluster,
  leaseCluster,
  openDatastore,
  serveCluster,
  stageDatabase,
  startForBackup,
  swapDatabases,
} from '../../src/engine/datastore/index.js';
import { until } from '../support/cli.js';
import { type Cluster, freePort, startCluster } from '../support/postgres.js';
import { isRoot, look } from '../support/tree.js';
import { dumpOf, failure, processesWith, programs, put, serverHome } from './fixtures.js';

let home: string;
let remove: () => Promise<void>;
let cluster: Cluster | undefined;

beforeEach(async () => {
  ({ home, remove } = await serverHome());
  // Nobody listens on the Docker port, whatever else runs on this machine.
  await put(join(home, 'dev', 'db-port'), String(await freePort()));
  const { uid, gid } = await stat(home);
  await chown(join(home, 'dev'), uid, gid);
});
afterEach(async () => {
  await cluster?.crash();
  cluster = undefined;
  expect(processesWith(home)).toEqual([]);
  await remove();
});

async function managed(): Promise<Cluster> {
  cluster = await startCluster({ dir: join(home, 'pgdata') });
  return cluster;
}

describe('a cluster that runs', () => {
  test('is used, and left running', async () => {
    const { psql, pid } = await managed();
    const before = await pid();
    expect(await inspectCluster({ home })).toMatchObject({ state: 'running', userTables: false, liveExists: true });
    await psql('CREATE TABLE t (a int)');
    expect(await inspectCluster({ home })).toMatchObject({ userTables: true });
    const lease = await leaseCluster({ home });
    expect(lease).toMatchObject({ state: 'running', maySwap: true, liveExists: true, liveDatabase: 'leoflow_dev' });
    await lease.release({ keep: false });
    expect(await pid()).toBe(before);
    expect(await psql('SELECT count(*) FROM t')).toBe('0');
  });

  test('an external one by its address', async () => {
    const { url } = await managed();
    expect(await inspectCluster({ home, dsn: url })).toMatchObject({ state: 'external', liveExists: true });
    expect((await leaseCluster({ home, dsn: url })).state).toBe('external');
  });
});

describe('a cluster that does not run', () => {
  test('is started for the lease, and stopped again', async () => {
    const { psql, stop, pid } = await managed();
    await psql('CREATE TABLE t (a int)');
    await stop();
    expect(await inspectCluster({ home })).toMatchObject({ state: 'stopped', userTables: null, liveExists: null });
    const lease = await leaseCluster({ home });
    expect(lease.state).toBe('started');
    expect(lease.datastore.source).toBe(join(home, 'pgdata', '.s.PGSQL.5432'));
    expect(await psql('SELECT count(*) FROM t')).toBe('0');
    expect(await psql('SHOW listen_addresses')).toBe('');
    await Promise.all([lease.release({ keep: true }), lease.release({ keep: false })]);
    expect(await pid()).toBeUndefined();
    expect(existsSync(join(home, 'pgdata', 'PG_VERSION'))).toBe(true);
    expect(await inspectCluster({ home })).toMatchObject({ state: 'stopped' });
  });

  test('is started after a crash, too', async () => {
    const { psql, crash } = await managed();
    await psql('CREATE TABLE t AS SELECT 1 AS a');
    await crash();
    const lease = await leaseCluster({ home });
    expect(await psql('SELECT a FROM t')).toBe('1');
    await lease.release({ keep: true });
  });

  test('says why it does not start, and where its log is', async () => {
    const { stop } = await managed();
    await stop();
    await writeFile(join(home, 'pgdata', 'postgresql.conf'), 'no_such_setting = 1\n');
    const error = await failure(leaseCluster({ home }));
    expect(error.code).toBe('CLUSTER_START');
    expect(error.message).toContain('no_such_setting');
    expect(error.hint).toContain(join(home, 'dev', 'postgres.log'));
  });

  test('is not started by programs of another release', async () => {
    const { stop } = await managed();
    await stop();
    await writeFile(join(home, 'pgdata', 'PG_VERSION'), '9\n');
    const error = await failure(leaseCluster({ home }));
    expect(error.code).toBe('TOOL_NOT_FOUND');
    expect(error.message).toContain('needs PostgreSQL 9');
  });

  test('is stopped again by an abort', async () => {
    const { stop, pid } = await managed();
    await stop();
    const abort = new AbortController();
    const lease = failure(leaseCluster({ home, signal: abort.signal }));
    await until(async () => (await pid()) !== undefined, 'the server to start');
    abort.abort();
    expect((await lease).code).toBe('INTERRUPTED');
    expect(await pid()).toBeUndefined();
  });
});

describe('a home without a cluster', () => {
  beforeEach(async () => {
    await rm(join(home, 'dev'), { recursive: true });
  });

  test('gets one, which is kept when the restore succeeds', async () => {
    const found = await inspectCluster({ home });
    expect(found.state, 'a Leoflow datastore answers on port 5432 of this machine: it has to be stopped').toBe(
      'absent',
    );
    expect(found).toMatchObject({ userTables: false, liveExists: false });
    expect(await readdir(home)).toEqual([]);
    const lease = await leaseCluster({ home });
    expect(lease).toMatchObject({
      state: 'provisioned',
      liveExists: false,
      liveDatabase: 'leoflow_dev',
      maySwap: true,
    });
    const { name } = await stageDatabase(lease, dumpOf('CREATE TABLE public.t (a int);'));
    await swapDatabases(lease, { staged: name, live: 'leoflow_dev', previous: null }, { endSessions: false });
    await lease.release({ keep: true });
    expect((await stat(join(home, 'pgdata'))).mode & 0o777).toBe(0o700);
    expect((await stat(join(home, 'pgdata'))).uid).toBe((await stat(home)).uid);
    expect((await readdir(home)).sort()).toEqual(['dev', 'pgdata']);

    const again = await leaseCluster({ home });
    expect(again).toMatchObject({ state: 'started', liveExists: true });
    expect((await openDatastore({ home })).database).toBe('leoflow_dev');
    await again.release({ keep: true });
  });

  test('has no trace of one when the restore fails', async () => {
    const lease = await leaseCluster({ home });
    expect(lease.state).toBe('provisioned');
    await lease.release({ keep: false });
    expect(await readdir(home)).toEqual([]);
  });

  test('nor when making it is interrupted', async () => {
    const abort = new AbortController();
    const lease = failure(leaseCluster({ home, signal: abort.signal }));
    await until(async () => (await readdir(home)).length > 0, 'initdb to begin');
    abort.abort();
    expect((await lease).code).toBe('INTERRUPTED');
    expect(await readdir(home)).toEqual([]);
  });

  test('may have blanks, quotes and dollars in its name', async () => {
    const odd = join(home, "it's $HOME");
    const lease = await leaseCluster({ home: odd });
    expect(lease.state).toBe('provisioned');
    expect(await readFile(join(odd, 'pgdata', 'PG_VERSION'), 'utf8')).toMatch(/^\d+\n$/);
    await lease.release({ keep: false });
    expect(existsSync(odd)).toBe(false);
  });

  test('whose socket would have too long a path is refused before anything is written', async () => {
    const long = join(home, 'x'.repeat(90));
    const error = await failure(leaseCluster({ home: long }));
    expect(error.code).toBe('CLUSTER_START');
    expect(error.message).toContain('too long');
    expect(existsSync(long)).toBe(false);
  });

  if (isRoot)
    test('that belongs to root gets none, because PostgreSQL refuses to run as root', async () => {
      await chown(home, 0, 0);
      const error = await failure(leaseCluster({ home }));
      expect(error.code).toBe('CLUSTER_ROOT');
      expect(error.message).toBe(`PostgreSQL refuses to run as root, and ${home} belongs to root`);
      expect(await readdir(home)).toEqual([]);
    });
});

describe('what stands in the place of a cluster, and is none that can be used,', () => {
  /** Lays something there. @returns what is wrong with it */
  const cases: Record<string, (pgdata: string) => Promise<string>> = {
    'a cluster without its PG_VERSION': async (pgdata) => {
      await rm(join(pgdata, 'PG_VERSION'));
      return `${pgdata} is no datastore that can be used: its PG_VERSION cannot be read: no such file or directory`;
    },
    'a cluster whose PG_VERSION lost its content in a crash': async (pgdata) => {
      await writeFile(join(pgdata, 'PG_VERSION'), '');
      return `${pgdata} is no datastore that can be used: its PG_VERSION names no release`;
    },
    'a cluster whose PG_VERSION cannot be read': async (pgdata) => {
      await rm(join(pgdata, 'PG_VERSION'));
      await mkdir(join(pgdata, 'PG_VERSION'));
      return `${pgdata} is no datastore that can be used: its PG_VERSION cannot be read: illegal operation on a directory`;
    },
    'a link to a cluster on a disk that is not mounted': async (pgdata) => {
      await rename(pgdata, join(home, 'unmounted'));
      await symlink('/nowhere/pgdata', pgdata);
      return `${pgdata}, a symbolic link to /nowhere/pgdata, is no datastore that can be used: its PG_VERSION cannot be read: no such file or directory`;
    },
    'a link to where a disk is to be mounted': async (pgdata) => {
      await rename(pgdata, join(home, 'unmounted'));
      await mkdir(join(home, 'disk'));
      await symlink('disk', pgdata);
      return `${pgdata}, a symbolic link to disk, is no datastore that can be used: its PG_VERSION cannot be read: no such file or directory`;
    },
  };
  for (const [what, lay] of Object.entries(cases))
    test(`is an error, and stays as it is: ${what}`, async () => {
      const { stop } = await managed();
      await stop();
      const message = await lay(join(home, 'pgdata'));
      const before = look(home);
      for (const call of [
        () => leaseCluster({ home }),
        () => inspectCluster({ home }),
        () => serveCluster({ home }),
        () => startForBackup({ home }),
        () => findPrograms({ home }),
      ]) {
        const error = await failure(call());
        expect({ code: error.code, message: error.message }).toEqual({ code: 'CLUSTER_PROVISION', message });
        expect(error.hint).toContain('move it away to have a new datastore made');
        expect(look(home)).toEqual(before);
      }
    });

  test.each([
    ['a directory', 'mkdir pgdata; echo theirs > pgdata/PG_VERSION', 'directory not empty'],
    ['a link', 'mkdir disk; echo theirs > disk/file; ln -s disk pgdata', 'not a directory'],
  ])('is not touched where another program made it meanwhile: %s', async (_, sh, why) => {
    // Nobody's datastore is on another port.
    await rm(join(home, 'dev'), { recursive: true });
    const made = join(home, 'made');
    const pgBin = await programs(join(home, '..'), {
      initdb: `"$REAL/initdb" "$@" || exit; case "$1" in --version) ;; *) ${sh}; mkdir dev; echo theirs > dev/postgres.log;; esac`,
      pg_ctl: 'exec "$REAL/pg_ctl" "$@"',
    });
    await chmod(pgBin, 0o755);
    try {
      const error = await failure(leaseCluster({ home: made, pgBin }));
      expect(error.code).toBe('CLUSTER_PROVISION');
      expect(error.message).toBe(`a datastore could not be moved to ${join(made, 'pgdata')}: ${why}`);
      expect(await readdir(made)).toEqual(sh.includes('disk') ? ['dev', 'disk', 'pgdata'] : ['dev', 'pgdata']);
      for (const theirs of ['dev/postgres.log', sh.includes('disk') ? 'pgdata/file' : 'pgdata/PG_VERSION'])
        expect(await readFile(join(made, theirs), 'utf8')).toBe('theirs\n');
    } finally {
      await rm(pgBin, { recursive: true });
    }
  });

  test('is an empty directory, which a cluster may take', async () => {
    await rm(join(home, 'dev'), { recursive: true });
    await mkdir(join(home, 'pgdata'));
    const lease = await leaseCluster({ home });
    if (lease.state === 'provisioned') expect(existsSync(join(home, 'pgdata', 'PG_VERSION'))).toBe(true);
    await lease.release({ keep: false });
  });
});

test('a home whose Docker datastore is down gets no second datastore', async () => {
  const error = await failure(leaseCluster({ home }));
  expect(error.code).toBe('DATASTORE_UNREACHABLE');
  expect(await readdir(home)).toEqual(['dev']);
});

test('the Docker datastore is used where the home has no cluster', async () => {
  const docker = await startCluster({ port: 0, password: 'leoflow' });
  try {
    await put(join(home, 'dev', 'db-port'), String(docker.port));
    expect(await inspectCluster({ home })).toMatchObject({
      state: 'running',
      source: `localhost:${docker.port}/leoflow_dev`,
    });
    const lease = await leaseCluster({ home });
    expect(lease.datastore.connection.kind).toBe('docker');
    await stageDatabase(lease, dumpOf('CREATE TABLE public.t (a int);'));
  } finally {
    await docker.stop();
  }
});
