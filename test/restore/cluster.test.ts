/** What a restore does with the datastore that it finds. See docs/restore.md, "The datastore". */
import { chownSync, existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createInstall, type TestInstall } from '../support/install.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { isRoot, look } from '../support/tree.js';
import { backup, recover, restore, runRestore } from './faults.js';
import { type FreshPlace, freshPlace, REFERENCE, setUp, withDump } from './fresh-place.js';
import { Trial } from './trial.js';

/** A dump that fails in its middle. */
const failing = (dump: string) => dump.replace(/^COPY /m, 'SELECT 1/0;\n$&');

describe('a cluster of the home', () => {
  let trial: Trial;

  beforeAll(async () => {
    trial = await Trial.begin();
  });
  afterAll(async () => {
    await trial?.install.remove();
  });

  test('that runs is used, and runs on', async () => {
    const { cluster } = trial.install;
    const pid = await cluster.pid();
    const target = trial.other;
    const { datastore } = await restore(trial.request(target));
    expect(datastore).toEqual({
      source: join(cluster.dir, '.s.PGSQL.5432'),
      cluster: 'running',
      inPlace: false,
      bytes: expect.any(Number),
    });
    expect(await cluster.pid()).toBe(pid);
    await trial.completed(target);
  });

  test('that does not run is started, and stopped again; also by a recovery after a power cut', async () => {
    const { cluster, home } = trial.install;
    await cluster.stop();
    const target = trial.other;
    expect((await restore(trial.request(target))).datastore?.cluster).toBe('started');
    expect(await cluster.pid()).toBeUndefined();
    await cluster.start();
    await trial.completed(target);

    await cluster.stop();
    await trial.attempt({ calls: 'spawn', from: 'commit', at: 1, signal: 'SIGKILL' });
    await cluster.crash();
    expect((await recover({ home })).outcome).toBe('undone');
    expect(await cluster.pid()).toBeUndefined();
    await cluster.start();
    await trial.unchanged();
  });

  test('that lost its PG_VERSION is not replaced, also with --force', async () => {
    const { cluster } = trial.install;
    await cluster.stop();
    const version = join(cluster.dir, 'PG_VERSION');
    const before = readFileSync(version);
    writeFileSync(version, '');
    await expect(restore({ ...trial.request(trial.other), only: ['datastore'] })).rejects.toMatchObject({
      code: 'CLUSTER_PROVISION',
      message: `${cluster.dir} is no datastore that can be used: its PG_VERSION names no release`,
    });
    writeFileSync(version, before);
    await cluster.start();
    await trial.unchanged();
  });

  test('that does not run is stopped again where the restore fails', async () => {
    const { cluster, out } = trial.install;
    await cluster.stop();
    const input = withDump(join(out, 'fails.tar.gz'), failing);
    await expect(restore({ ...trial.request('A'), input })).rejects.toMatchObject({
      code: 'REPLAY_FAILED',
      message: expect.stringContaining('division by zero'),
    });
    expect(await cluster.pid()).toBeUndefined();
    await cluster.start();
    await trial.unchanged();
  });
});

describe('a home without a cluster', () => {
  let place: FreshPlace;

  beforeEach(() => {
    place = freshPlace();
  });
  afterEach(async () => {
    await place.remove();
  });

  const request = () => ({ home: place.home, input: REFERENCE, workers: 1 });

  test('gets one, which belongs to the owner of the place as all the rest, and is stopped in the end', async () => {
    const { datastore, previous, workspace } = await restore(request());
    expect(datastore).toMatchObject({ cluster: 'provisioned', inPlace: false });
    expect(previous).toEqual([]);
    expect(workspace?.path).toBe(join(place.base, 'leoflow'));
    expect(place.names()).toEqual({
      base: ['.leoflow', 'leoflow'],
      home: ['config.yaml', 'dev', 'pgdata', 'setup.json'],
    });
    expect(existsSync(join(place.home, 'pgdata', 'postmaster.pid'))).toBe(false);
    expect(lstatSync(place.home).mode & 0o777).toBe(0o700);
    const { uid } = lstatSync(place.base);
    const all = readdirSync(place.base, { recursive: true, encoding: 'utf8' });
    expect(all.filter((path) => lstatSync(join(place.base, path)).uid !== uid)).toEqual([]);
    await place.served(() => {
      expect(place.query('SELECT (SELECT count(*) FROM sample_dag), (SELECT count(*) FROM sample_run)')).toBe('2|500');
      expect(place.query('SELECT rolname FROM pg_roles WHERE rolname !~ $$^pg_$$')).toBe('leoflow');
      expect(place.query('SELECT datname FROM pg_database WHERE datname !~ $$^template$$ ORDER BY 1')).toBe(
        'leoflow_dev\npostgres',
      );
    });
  });

  test('has no trace of one, nor of anything else, where the restore fails', async () => {
    const fails = withDump(join(place.base, 'x.tar.gz'), failing);
    for (const workspace of [undefined, join(place.base, 'a', 'b', 'flows')]) {
      const deeper = join(place.base, 'c', 'd', '.leoflow');
      await expect(
        restore({ ...request(), home: deeper, input: fails, ...(workspace !== undefined && { workspace }) }),
      ).rejects.toMatchObject({ code: 'REPLAY_FAILED' });
      expect(place.names().base).toEqual(['x.tar.gz']);
    }
  });

  test('killed while it is made, is made by the next restore, which asks for no --force', async () => {
    for (const [at, like] of [
      [1, ' -A trust'],
      [2, '/pg_ctl'],
      [9, '/psql'],
    ] as const) {
      const next = freshPlace(place.base);
      const options = { home: next.home, input: REFERENCE, workers: 1 };
      const fault = { calls: 'spawn', from: 'stage', at, like, signal: 'SIGKILL' } as const;
      const { result, status } = await runRestore(options, { base: next.base, fault });
      expect({ result, status }).toEqual({ result: undefined, status: null });
      await restore(options);
      expect(next.names()).toEqual({
        base: ['.leoflow', 'leoflow'],
        home: ['config.yaml', 'dev', 'pgdata', 'setup.json'],
      });
      await next.remove();
    }
  });

  test('gets none as root, where it is root’s own; anybody else’s does', async () => {
    setUp(place);
    if (isRoot) {
      for (const path of [place.base, place.home]) chownSync(path, 0, 0);
      for (const dryRun of [true, false]) {
        await expect(restore({ ...request(), dryRun })).rejects.toMatchObject({
          code: 'CLUSTER_ROOT',
          message: `PostgreSQL refuses to run as root, and ${place.home} belongs to root`,
          hint: 'run this as the user who runs Leoflow, or give the home to that user (chown -R)',
        });
      }
      expect(place.names()).toEqual({
        base: ['.leoflow', 'leoflow'],
        home: ['config.yaml', 'pysrc', 'python', 'setup.json'],
      });
      const { uid, gid } = lstatSync(join(place.home, 'config.yaml'));
      for (const path of [place.base, place.home]) chownSync(path, uid, gid);
    }
    expect((await restore(request())).datastore?.cluster).toBe('provisioned');
  });
});

describe('a server that somebody else runs', () => {
  let server: Cluster;
  let source: TestInstall;
  let home: string;
  let workspace: string;

  beforeAll(async () => {
    server = await startCluster();
    await server.psql('CREATE ROLE manager LOGIN CREATEDB CREATEROLE; CREATE ROLE tenant LOGIN', 'postgres');
    source = await createInstall();
    writeFileSync(join(source.workspace, 'dag.py'), 'new');
    await backup({ home: source.home, output: source.archive });
    await source.cluster.stop();
  });
  afterAll(async () => {
    await source?.remove();
    await server?.stop();
  });
  beforeEach(async () => {
    ({ home, workspace } = source.another());
    writeFileSync(join(workspace, 'dag.py'), 'old');
    for (const [role, database] of [
      ['manager', 'managed'],
      ['tenant', 'tenancy'],
    ]) {
      await server.psql(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`, 'postgres');
      await server.psql(`CREATE DATABASE ${database} OWNER ${role}`, 'postgres');
      await server.psql(
        `SET ROLE ${role}; CREATE SCHEMA mine; CREATE TABLE mine.old AS SELECT 'old' AS state`,
        database,
      );
    }
  });

  const dsnOf = (role: string, database: string) => server.urlOf(database).replace('leoflow@', `${role}@`);
  const requestOf = (role: string, database: string) => ({
    home,
    workspace,
    input: source.archive,
    dsn: dsnOf(role, database),
    force: true,
    workers: 1,
  });
  const databases = () =>
    server
      .psql('SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1', 'postgres')
      .then((text) => text.split('\n'));
  const roles = () =>
    server.psql("SELECT string_agg(rolname, ',' ORDER BY 1) FROM pg_roles WHERE rolname !~ '^pg_'", 'postgres');
  const holds = async (database: string) =>
    (await server.psql("SELECT to_regclass('mine.old') IS NOT NULL, to_regclass('dag') IS NOT NULL", database)) ===
    't|f'
      ? 'old'
      : 'new';
  /** What comes and goes in a directory changes its time. */
  const contentOf = (directory: string) => new Map([...look(directory)].filter(([path]) => path !== ''));
  const state = async () => ({
    database: await holds('tenancy'),
    file: readFileSync(join(workspace, 'dag.py'), 'utf8'),
  });

  test('gets a new database beside the old one, where the role may make one', async () => {
    const { datastore, previous } = await restore(requestOf('manager', 'managed'));
    expect(datastore).toMatchObject({
      source: `${server.dir}/.s.PGSQL.5432/managed`,
      cluster: 'external',
      inPlace: false,
    });
    expect(await holds('managed')).toBe('new');
    expect(
      await server.psql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'managed'", 'postgres'),
    ).toBe('manager');
    const kept = previous.find(({ what }) => what === 'database managed')?.where.replace('database ', '') ?? '';
    expect(await holds(kept)).toBe('old');
    await server.psql(`DROP DATABASE "${kept}"`, 'postgres');
    expect(await databases()).toEqual(['leoflow_dev', 'managed', 'postgres', 'tenancy']);
    expect(await roles()).toBe('leoflow,manager,tenant');
  });

  describe('by a role that may make no database', () => {
    test('is changed in place, and says so', async () => {
      const notes: string[] = [];
      const onEvent = (event: { type: string; message?: string }) => {
        if (event.type === 'note') notes.push(event.message ?? '');
      };
      const dryRun = await restore({ ...requestOf('tenant', 'tenancy'), dryRun: true });
      expect(dryRun.datastore).toMatchObject({ cluster: 'external', inPlace: true });
      const { datastore, previous } = await restore({ ...requestOf('tenant', 'tenancy'), onEvent });
      expect(datastore).toMatchObject({
        cluster: 'external',
        inPlace: true,
        source: expect.stringMatching(/\/tenancy$/),
      });
      expect(notes).toEqual([
        'the database role may create no database: the dump is replayed into the live one, in one transaction, at the end',
      ]);
      expect(previous.map(({ what }) => what)).toEqual([
        workspace,
        join(home, 'config.yaml'),
        join(home, 'setup.json'),
      ]);
      expect(await state()).toEqual({ database: 'new', file: 'new' });
      expect(await server.psql("SELECT to_regclass('mine.old') IS NULL", 'tenancy')).toBe('t');
      expect(await databases()).toEqual(['leoflow_dev', 'managed', 'postgres', 'tenancy']);
    });

    test('is refused before anything is written, where the role could reach further', async () => {
      await server.psql('ALTER ROLE tenant CREATEROLE', 'postgres');
      try {
        for (const dryRun of [true, false]) {
          const phases: string[] = [];
          const onEvent = (event: { type: string; phase?: string }) => void phases.push(event.phase ?? '');
          await expect(restore({ ...requestOf('tenant', 'tenancy'), dryRun, onEvent })).rejects.toMatchObject({
            code: 'REPLAY_UNSAFE',
            message: expect.stringContaining('allowed to create roles'),
          });
          expect(phases).toEqual(['judge']);
        }
      } finally {
        await server.psql('ALTER ROLE tenant NOCREATEROLE', 'postgres');
      }
      expect(await state()).toEqual({ database: 'old', file: 'old' });
    });

    test('is as it was where the replay fails, and so is all the rest', async () => {
      const before = { home: contentOf(home), workspace: look(workspace) };
      const input = withDump(join(source.out, 'fails.tar.gz'), failing);
      await expect(restore({ ...requestOf('tenant', 'tenancy'), input })).rejects.toMatchObject({
        code: 'REPLAY_FAILED',
        message: expect.stringContaining('division by zero'),
      });
      expect(await state()).toEqual({ database: 'old', file: 'old' });
      expect(look(workspace)).toEqual(before.workspace);
      expect(contentOf(home)).toEqual(before.home);
    });

    test('is as it was, or as it was to be, where the restore is killed; and so is all the rest', async () => {
      const { base } = source;
      const request = { ...requestOf('tenant', 'tenancy'), discardPrevious: true };
      let wasFinished = false;
      // 2 calls for the journal, 6 to exchange; then 2 to announce the transaction, and 2 when it is committed.
      for (let at = 7; at <= 13; at += 1) {
        const fault = { calls: 'files', from: 'commit', at, signal: 'SIGKILL' } as const;
        const { status } = await runRestore(request, { base, fault });
        expect(status).toBe(null);
        const { outcome } = await recover({ home, dsn: request.dsn });
        const version = outcome === 'finished' ? 'new' : 'old';
        expect(await state(), `killed at call ${at}`).toEqual({ database: version, file: version });
        wasFinished = outcome === 'finished';
        expect(readdirSync(base).filter((name) => /partial|journal/.test(name))).toEqual([]);
        if (wasFinished) break;
      }
      expect(wasFinished).toBe(true);
    });

    test('is recovered by who knows its address, as the restore did', async () => {
      const { base } = source;
      const request = requestOf('tenant', 'tenancy');
      const fault = { calls: 'files', from: 'commit', at: 11, signal: 'SIGKILL' } as const;
      await runRestore(request, { base, fault });
      await expect(recover({ home })).rejects.toMatchObject({
        code: 'RECOVERY_FAILED',
        message: expect.stringMatching(
          /^the restore to \S+ that was broken off worked on the datastore at \S+, and there is none now$/,
        ),
        hint: 'name that datastore with --dsn, as that restore did',
      });
      expect(existsSync(join(home, 'pgdata'))).toBe(false);
      const { outcome } = await recover({ home, dsn: request.dsn });
      const version = outcome === 'finished' ? 'new' : 'old';
      expect(await state()).toEqual({ database: version, file: version });
    });
  });
});
