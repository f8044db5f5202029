/** What an install is after a restore: where everything lies, what was adapted, what was kept. See docs/restore.md. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RestoreEvent } from '../../src/index.js';
import { untar } from '../support/archive.js';
import { underModes } from '../support/cli.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { lendWorkers } from '../support/lent-workers.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import { look, put } from '../support/tree.js';
import { COMMIT, type Fault, recover, restore, runRestore, start } from './faults.js';
import { type FreshPlace, freshPlace, REFERENCE, repacked, setUp } from './fresh-place.js';
import { Trial } from './trial.js';

lendWorkers();

const read = (...path: string[]) => readFileSync(join(...path), 'utf8');

describe('the install of somebody else, on another machine', () => {
  let place: FreshPlace;
  let server: Cluster;

  beforeAll(async () => {
    server = await startCluster();
  });
  afterAll(async () => {
    await server?.stop();
  });
  beforeEach(() => {
    place = freshPlace();
  });
  afterEach(async () => {
    await place.remove();
  });

  /** A datastore that is there already, so that none has to be made. */
  const request = () => ({ home: place.home, input: REFERENCE, dsn: server.url, workers: 1 });
  /** Without one. */
  const filesOnly = () => ({ home: place.home, input: REFERENCE, only: ['config', 'workspace'] as const, workers: 1 });

  test('gets the paths of its new home; nothing else in its files changes, and the result says so', async () => {
    await server.psql('DROP DATABASE leoflow_dev WITH (FORCE)', 'postgres');
    const { base, home } = place;
    const result = await restore(request());
    expect(read(home, 'config.yaml')).toBe(
      [
        '# Written by leoflow setup',
        `parser_cmd: "env PYTHONPATH=${home}/pysrc/parser /usr/bin/python3 -m leoflow_parser"`,
        `workspace: "${base}/leoflow"`,
        'lite_executor: "subprocess"',
        'lite_port: 8088',
        'admin_email: "admin@leoflow.local"',
        'admin_password_hash: "$2a$10$C6UzMDM.H6dfI/f/IKcEeO5nEvGmGzZpTJ8kCUvXzfj5pE5qCqYqG"',
        `jwt_secret: "${'0123456789abcdef'.repeat(4)}"`,
        '',
      ].join('\n'),
    );
    expect(JSON.parse(read(home, 'setup.json'))).toEqual({
      python: '/usr/bin/python3',
      workspace: `${base}/leoflow`,
      tier: 'subprocess',
      os: 'linux',
      arch: 'amd64',
      updated_at: '2026-05-28T12:00:00Z',
    });
    const files = [
      'etl/blob.bin',
      'etl/naïve file.txt',
      'etl/run.sh',
      'etl/sub/data.csv',
      'etl/venv',
      'hello/dag.py',
      'hello/leoflow.yaml',
    ];
    const found = [...look(join(base, 'leoflow'))].filter(([, { kind }]) => kind === 'file');
    expect(found.map(([path]) => path).sort()).toEqual(files);
    const [command, workspace] = [
      'env PYTHONPATH=/home/alice/.leoflow/pysrc/parser /usr/bin/python3 -m leoflow_parser',
      '/home/alice/leoflow',
    ];
    expect(result).toEqual({
      dryRun: false,
      manifest: JSON.parse(execFileSync('tar', ['xzOf', REFERENCE, 'MANIFEST.json'], { encoding: 'utf8' })),
      home,
      parts: ['config', 'workspace', 'datastore'],
      incomplete: null,
      config: ['config.yaml', 'setup.json'],
      workspace: { path: `${base}/leoflow`, files: 7, directories: 0, links: 0, bytes: 300_096 },
      datastore: {
        source: `${server.dir}/.s.PGSQL.5432/leoflow_dev`,
        bytes: 73_776,
        cluster: 'external',
        inPlace: false,
      },
      changes: [
        { file: 'config.yaml', key: 'workspace', from: workspace, to: `${base}/leoflow` },
        { file: 'config.yaml', key: 'parser_cmd', from: command, to: command.replace('/home/alice/.leoflow', home) },
        { file: 'setup.json', key: 'workspace', from: workspace, to: `${base}/leoflow` },
      ],
      previous: [],
      discarded: [],
      carriedOver: 0,
      durationMs: expect.any(Number),
      workers: 1,
    });
    expect(await server.psql('SELECT (SELECT count(*) FROM sample_dag), (SELECT count(*) FROM sample_run)')).toBe(
      '2|500',
    );
  });

  test('goes with --workspace where that says, also on another file system', async () => {
    // Every Linux has this one beside that of the temporary files.
    const elsewhere = freshPlace('/dev/shm');
    try {
      const workspace = join(elsewhere.base, 'a', 'flows');
      const result = await restore({ ...filesOnly(), workspace });
      expect(result.workspace?.path).toBe(workspace);
      expect(read(workspace, 'hello', 'dag.py')).toBe(
        execFileSync('tar', ['xzOf', REFERENCE, 'workspace/hello/dag.py'], { encoding: 'utf8' }),
      );
      expect(read(place.home, 'config.yaml')).toContain(`workspace: "${workspace}"\n`);
      expect(place.names().base).toEqual(['.leoflow']);
      expect(readdirSync(join(elsewhere.base, 'a'))).toEqual(['flows']);
    } finally {
      await elsewhere.remove();
    }
  });

  test('comes into what `leoflow setup` has made, without --force; what that found on this machine counts', async () => {
    setUp(place);
    const { base, home } = place;
    const own = { config: read(home, 'config.yaml'), setup: read(home, 'setup.json') };
    await server.psql('DROP DATABASE IF EXISTS leoflow_dev WITH (FORCE)', 'postgres');
    await server.psql('CREATE DATABASE leoflow_dev', 'postgres');
    const { previous, changes } = await restore(request());
    expect(read(home, 'config.yaml')).toContain(
      `parser_cmd: "env PYTHONPATH=${home}/pysrc/parser ${home}/python/bin/python3 -m leoflow_parser"\nworkspace: "${base}/leoflow"\n`,
    );
    expect(read(home, 'config.yaml')).toContain('admin_email: "admin@leoflow.local"\n');
    expect(JSON.parse(read(home, 'setup.json'))).toMatchObject({
      python: `${home}/python/bin/python3`,
      os: 'darwin',
      arch: 'arm64',
      updated_at: '2026-05-28T12:00:00Z',
    });
    expect(changes.map(({ file, key }) => `${file} ${key}`)).toEqual([
      'config.yaml workspace',
      'config.yaml parser_cmd',
      'setup.json workspace',
      'setup.json python',
      'setup.json os',
      'setup.json arch',
    ]);
    // The tools stay, the setup's own files are kept aside, and nobody needs its empty database.
    expect(read(home, 'python', 'README')).toBe('a managed CPython');
    expect(previous.map(({ what }) => what)).toEqual([`${base}/leoflow`, `${home}/config.yaml`, `${home}/setup.json`]);
    expect({ config: read(previous[1]?.where ?? ''), setup: read(previous[2]?.where ?? '') }).toEqual(own);
    const databases = 'SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1';
    expect(await server.psql(databases, 'postgres')).toBe('leoflow_dev\npostgres');
  });

  test('keeps its secrets to its owner', async () => {
    await restore({ ...filesOnly() });
    expect(lstatSync(join(place.home, 'config.yaml')).mode & 0o777).toBe(0o600);
    expect(lstatSync(place.home).mode & 0o777).toBe(0o700);
  });

  test('keeps them to its owner, too, where the workspace lies in the home', async () => {
    const input = repacked(join(place.base, 'x.tar.gz'), (tree) => {
      const config = join(tree, 'config.yaml');
      const inHome = readFileSync(config, 'utf8').replace(
        /^workspace: .*$/m,
        'workspace: "/home/alice/.leoflow/flows"',
      );
      writeFileSync(config, inHome);
    });
    const { workspace } = await restore({ ...filesOnly(), input });
    expect(workspace?.path).toBe(join(place.home, 'flows'));
    expect(lstatSync(place.home).mode & 0o777).toBe(0o700);
  });

  test.each([
    [', where --workspace names that', { force: false, named: true }],
    [', where nobody here has named that', { force: false, named: false }],
    [', where nobody here has named that, also with --force', { force: true, named: false }],
  ])('replaces nothing that came into its place while it was staged%s', async (_, { force, named }) => {
    const workspace = join(place.base, 'leoflow');
    const onEvent = (event: RestoreEvent) => {
      if (event.type !== 'phase' || event.phase !== 'stage') return;
      mkdirSync(workspace);
      writeFileSync(join(workspace, 'mine'), 'x');
    };
    const request = { ...filesOnly(), force, discardPrevious: true, onEvent, ...(named && { workspace }) };
    const found = `the workspace ${workspace} holds mine`;
    await expect(restore(request)).rejects.toMatchObject(
      named
        ? { code: 'INSTALL_EXISTS', message: `something came into the way of the restore meanwhile: ${found}` }
        : { code: 'WORKSPACE_UNSAFE', message: expect.stringMatching(`named with --workspace: ${found}$`) },
    );
    expect(place.names()).toEqual({ base: ['leoflow'], home: [] });
    expect(readdirSync(workspace)).toEqual(['mine']);
  });

  test('replaces a directory whose path would be too long where the new one is staged', async () => {
    const workspace = join(place.base, 'leoflow');
    // The longest path there can be, less one that stands for the staging's own.
    const room = 4085 - `${place.base}/.leoflow.leoflow-01234567-0123456-01234567-1.partial/workspace/`.length;
    const deep = Array.from({ length: 20 }, () => 'd'.repeat(199))
      .join('/')
      .slice(0, room);
    const input = repacked(join(place.base, 'x.tar.gz'), (tree) =>
      mkdirSync(join(tree, 'workspace', deep), { recursive: true }),
    );
    mkdirSync(join(workspace, deep, 'c'.repeat(40)), { recursive: true });
    const { previous } = await restore({ ...filesOnly(), input, workspace, force: true });
    expect(previous).toMatchObject([{ what: workspace }]);
    expect(existsSync(join(workspace, deep))).toBe(true);
  });

  test('and a dry run names no file as replaced that the archive does not have', async () => {
    setUp(place);
    const input = repacked(join(place.base, 'x.tar.gz'), (tree) => rmSync(join(tree, 'setup.json')));
    const request = { ...filesOnly(), input, force: true };
    const trial = await restore({ ...request, dryRun: true });
    const what = [join(place.base, 'leoflow'), join(place.home, 'config.yaml')];
    expect(trial.previous.map((one) => one.what)).toEqual(what);
    expect((await restore(request)).previous.map((one) => one.what)).toEqual(what);
  });

  test('of an archive that has nothing of a workspace gets an empty one, and a note', async () => {
    const notes: string[] = [];
    const onEvent = (event: RestoreEvent) => event.type === 'note' && notes.push(event.message);
    const input = repacked(join(place.base, 'x.tar.gz'), (tree) =>
      rmSync(join(tree, 'workspace'), { recursive: true }),
    );
    const { workspace } = await restore({ ...filesOnly(), input, onEvent });
    expect(workspace).toMatchObject({ files: 0, directories: 0, links: 0 });
    expect(notes).toEqual([
      'there is nothing of a workspace in the archive: an empty one takes the place of what is there',
    ]);
  });

  test('may have another home than the one it is known by: a link', async () => {
    mkdirSync(join(place.base, 'disk', 'leoflow-home'), { recursive: true });
    symlinkSync('disk/leoflow-home', place.home);
    const { home, workspace } = await restore({ ...filesOnly() });
    expect(home).toBe(place.home);
    expect(workspace?.path).toBe(join(place.base, 'leoflow'));
    expect(readdirSync(join(place.base, 'disk', 'leoflow-home')).sort()).toEqual(['config.yaml', 'setup.json']);
    expect(place.names().base).toEqual(['.leoflow', 'disk', 'leoflow']);
  });

  test('comes from a stream as from a file', async () => {
    const { workspace } = await restore({ ...filesOnly(), input: createReadStream(REFERENCE) });
    expect(workspace?.files).toBe(7);
  });

  test('without a config.yaml gets the workspace beside its home, and no config', async () => {
    const input = repacked(join(place.base, 'x.tar.gz'), (tree) => {
      rmSync(join(tree, 'config.yaml'));
      rmSync(join(tree, 'setup.json'));
    });
    const { workspace, changes } = await restore({ ...filesOnly(), input });
    expect(workspace?.path).toBe(join(place.base, 'leoflow-projects'));
    expect(changes).toEqual([]);
    expect(place.names().home).toEqual([]);
  });
});

describe('an empty database', () => {
  let empty: TestInstall;

  beforeEach(async () => {
    empty = await createInstall({ sql: 'SELECT' });
    for (const name of ['config.yaml', 'setup.json']) rmSync(join(empty.home, name));
  });
  afterEach(async () => {
    await empty.remove();
  });

  const begin = (moment: Fault, leaving = false) => {
    const { base, home, workspace } = empty;
    const options = { home, input: REFERENCE, workspace, workers: 1 };
    return start('restore', options, { base, fault: { ...moment, signal: 'SIGSTOP' }, leaving });
  };
  const previous = () =>
    empty.cluster.psql("SELECT datname FROM pg_database WHERE datname ~ 'before_restore'", 'postgres');
  const fill = (database: string) => empty.cluster.psql('CREATE TABLE theirs AS SELECT 7 AS n', database);

  test.each([
    ['before the swap', COMMIT.journalWritten, async () => 'leoflow_dev'],
    ['behind it', COMMIT.afterSwap, previous],
  ])('is kept, and named, where it was filled meanwhile: %s', async (_, moment, database) => {
    const process = begin(moment);
    await process.stopped();
    await fill(await database());
    process.resume();
    const { result } = await process.ended;
    const kept = await previous();
    expect(result?.previous.at(-1)).toEqual({ what: 'database leoflow_dev', where: `database ${kept}` });
    expect(await empty.cluster.psql('SELECT n FROM theirs', kept)).toBe('7');
    expect(await empty.cluster.psql('SELECT count(*) FROM sample_dag')).toBe('2');
  });

  test.each([true, false])('is kept by a recovery where it was filled, and dropped where not: %s', async (filled) => {
    const killed = begin(COMMIT.afterSwap, true);
    await killed.stopped();
    if (filled) await fill(await previous());
    process.kill(killed.pid, 'SIGKILL');
    await killed.ended;
    expect(await recover({ home: empty.home })).toMatchObject({ outcome: 'finished' });
    const kept = await previous();
    if (filled) expect(await empty.cluster.psql('SELECT n FROM theirs', kept)).toBe('7');
    else expect(kept).toBe('');
  });
});

describe('an install in its own place', () => {
  let trial: Trial;

  beforeAll(async () => {
    trial = await Trial.begin();
  });
  afterAll(async () => {
    await trial?.install.remove();
  });

  const keeping = () => ({ ...trial.request(trial.other), discardPrevious: false });
  const databases = async () => {
    const names = await trial.install.cluster.psql(
      'SELECT datname FROM pg_database WHERE NOT datistemplate',
      'postgres',
    );
    return names.split('\n').sort();
  };

  test('is the archived one byte for byte, and the replaced one is kept beside it', async () => {
    const { home, workspace, cluster } = trial.install;
    const [was, target] = [trial.now, trial.other];
    const { changes, previous, carriedOver } = await restore(keeping());
    trial.now = target;
    expect(await trial.install.version()).toBe(target);
    expect(changes).toEqual([]);
    expect(carriedOver).toBe(3);
    const utc = '\\d{4}-\\d\\d-\\d\\dT\\d{6}Z';
    expect(previous).toEqual([
      { what: workspace, where: expect.stringMatching(`^${workspace}\\.before-restore-${utc}$`) },
      ...['config.yaml', 'setup.json'].map((name) => ({
        what: join(home, name),
        where: expect.stringMatching(`^${join(home, name)}\\.before-restore-${utc}$`),
      })),
      {
        what: 'database leoflow_dev',
        where: expect.stringMatching(/^database leoflow_dev_before_restore_\d{8}T\d{6}Z$/),
      },
    ]);
    const [tree, config, , database] = previous.map(({ where }) => where);
    expect(read(tree ?? '', 'README.md')).toBe(`version ${was}`);
    expect(read(config ?? '')).toContain(`# ${was}\n`);
    expect(lstatSync(config ?? '').mode & 0o777).toBe(0o600);
    expect(await cluster.psql('SELECT version FROM version', database?.replace('database ', ''))).toBe(was);
    // What is never archived is where it was, and not in what is kept.
    expect(look(tree ?? '').has('.git')).toBe(false);
    expect(existsSync(join(workspace, 'locked', '__pycache__', 'etl.pyc'))).toBe(true);
    for (const { where } of previous.slice(0, 3)) removed(where);
    await cluster.psql(`DROP DATABASE "${database?.replace('database ', '')}"`, 'postgres');
    await trial.unchanged();
  });

  function removed(path: string): void {
    execFileSync('chmod', ['-R', 'u+rwX', path]);
    rmSync(path, { recursive: true });
  }

  test('may be read-only, and the one that it replaces as well', async () => {
    const { base, workspace, archives } = trial.install;
    // Where modes count, a server of another account cannot be reached.
    const request = { ...trial.request(trial.now), only: ['workspace'] as const, input: readOnly(archives[trial.now]) };
    for (const round of [1, 2]) {
      const { result, error } = await runRestore({ ...request, only: [...request.only] }, { base, under: underModes });
      expect(error, `round ${round}`).toBeUndefined();
      expect(result).toMatchObject({ previous: [], carriedOver: 3 });
      expect(look(workspace).get('')).toMatchObject({ mode: '555', mtime: 1_600_000_000 });
      expect(look(workspace).get('locked')).toMatchObject({ mode: '555' });
      expect(readdirSync(base).sort()).toEqual(['flows', 'home', 'out']);
    }
    await restore({ ...trial.request(trial.now), only: ['workspace'] });
    await trial.unchanged();
  });

  /** The same archive, packed again, with a workspace that may not be written to. */
  function readOnly(archive: string): string {
    const tree = join(trial.install.base, 'unpacked');
    const repacked = join(trial.install.out, 'read-only.tar.gz');
    untar(archive, tree);
    chmodSync(join(tree, 'workspace'), 0o555);
    utimesSync(join(tree, 'workspace'), 1_600_000_000, 1_600_000_000);
    execFileSync('tar', ['czf', repacked, '-C', tree, ...readdirSync(tree)]);
    removed(tree);
    return repacked;
  }

  test('keeps what is never archived, of any kind and in any directory that is there again', async () => {
    const { base, workspace } = trial.install;
    put(join(workspace, 'dags', '.git'), 'gitdir: ../.git/modules/dags\n');
    symlinkSync('/opt/venv', join(workspace, 'dags', 'etl.venv'));
    mkdirSync(join(workspace, 'gone', 'node_modules'), { recursive: true });
    put(join(workspace, 'dags', 'node_modules', 'left-pad', 'index.js'), '');
    put(join(workspace, 'venv'), 'a file of the user’s');
    const target = trial.other;
    const { carriedOver, previous } = await restore(keeping());
    expect(carriedOver).toBe(5);
    expect(read(workspace, 'dags', '.git')).toBe('gitdir: ../.git/modules/dags\n');
    expect(existsSync(join(workspace, 'dags', 'node_modules', 'left-pad', 'index.js'))).toBe(true);
    for (const gone of ['venv', 'gone', 'dags/etl.venv']) expect(existsSync(join(workspace, gone))).toBe(false);
    const kept = previous[0]?.where ?? '';
    expect(readdirSync(join(kept, 'gone'))).toEqual(['node_modules']);
    expect(read(kept, 'venv')).toBe('a file of the user’s');
    expect(readlinkSync(join(kept, 'dags', 'etl.venv'))).toBe('/opt/venv');

    rmSync(join(workspace, 'dags', '.git'));
    rmSync(join(workspace, 'dags', 'node_modules'), { recursive: true });
    for (const name of readdirSync(base).filter((entry) => entry.includes('before-restore'))) removed(join(base, name));
    for (const { where } of previous.slice(1, 3)) rmSync(where);
    await trial.install.sweep();
    trial.now = target;
    // The times of the directories that the test has changed are another matter.
    await trial.again();
  });

  test('gets a number behind its name where that is taken', async () => {
    const { base } = trial.install;
    const options = { ...keeping(), only: ['workspace'] as const };
    const kept: string[] = [];
    // Several within a second, as a rule.
    for (let n = 0; n < 3; n += 1) kept.push(...(await restore(options)).previous.map(({ where }) => where));
    expect(new Set(kept).size).toBe(3);
    for (const path of kept) expect(path).toMatch(/\.before-restore-\d{4}-\d\d-\d\dT\d{6}Z(-\d)?$/);
    for (const path of kept) removed(path);
    expect(readdirSync(base).sort()).toEqual(['flows', 'home', 'out']);
    await restore({ ...trial.request(trial.now), only: ['workspace'] });
    await trial.unchanged();
  });

  test.each([
    [['config']],
    [['workspace']],
    [['datastore']],
    [['config', 'datastore']],
    [['workspace', 'datastore']],
  ] as const)('has only the parts restored that are asked for: %j', async (only) => {
    const { home, workspace, cluster } = trial.install;
    const target = trial.other;
    const versions = async () => ({
      config: /# ([AB])\n/.exec(read(home, 'config.yaml'))?.[1],
      workspace: read(workspace, 'README.md').replace('version ', ''),
      datastore: await cluster.psql('SELECT version FROM version'),
    });
    const before = await versions();
    const untouched = { workspace: statSync(workspace).ino, config: statSync(join(home, 'config.yaml')).ino };
    const result = await restore({ ...trial.request(target), only });
    expect(result.parts).toEqual(only);
    expect(result.workspace === null).toBe(!only.some((part) => part === 'workspace'));
    expect(result.datastore === null).toBe(!only.some((part) => part === 'datastore'));
    expect(await versions()).toEqual({ ...before, ...Object.fromEntries(only.map((part) => [part, target])) });
    for (const part of ['workspace', 'config'] as const) {
      const now = statSync(part === 'workspace' ? workspace : join(home, 'config.yaml')).ino;
      expect(now === untouched[part]).toBe(!only.some((asked) => asked === part));
    }
    await restore(trial.request(trial.now));
    await trial.unchanged();
  });

  test('is not touched by a dry run, which says what would be done', async () => {
    const { base, home, workspace, cluster } = trial.install;
    const inDatastore = (path: string) => path.startsWith('home/pgdata/');
    const before = look(base, inDatastore);
    const rows = 'SELECT oid, datname FROM pg_database UNION ALL SELECT oid, rolname FROM pg_roles ORDER BY 1, 2';
    const names = await cluster.psql(rows);
    const target = trial.other;
    for (const force of [
      { force: true },
      { force: true, discardPrevious: true },
      { force: true, only: ['workspace'] as const },
    ]) {
      const result = await restore({ ...trial.request(target), discardPrevious: false, ...force, dryRun: true });
      const everything = !('only' in force);
      const discards = 'discardPrevious' in force;
      const config = ['config.yaml', 'setup.json'].map((name) => join(home, name));
      const replaced = everything ? [workspace, ...config, 'database leoflow_dev'] : [workspace];
      expect(result).toMatchObject({
        dryRun: true,
        home,
        parts: everything ? ['config', 'workspace', 'datastore'] : ['workspace'],
        workspace: { path: workspace, files: 4, directories: target === 'A' ? 4 : 3, links: 1 },
        datastore: everything
          ? {
              source: join(cluster.dir, '.s.PGSQL.5432'),
              cluster: 'running',
              inPlace: false,
              bytes: expect.any(Number),
            }
          : null,
        changes: [],
        previous: discards ? [] : replaced.map((what) => ({ what, where: what })),
        discarded: discards ? replaced : [],
      });
    }
    expect(look(base, inDatastore)).toEqual(before);
    expect(await cluster.psql(rows)).toBe(names);
    await trial.unchanged();
  });

  test('is not touched by a dry run that finds the archive damaged', async () => {
    const { base, out } = trial.install;
    const input = join(out, 'cut.tar.gz');
    const whole = readFileSync(trial.install.archives.A);
    writeFileSync(input, whole.subarray(0, whole.length - 100));
    const before = look(base, (path) => path.startsWith('home/pgdata/'));
    await expect(restore({ ...trial.request('A'), input, dryRun: true })).rejects.toMatchObject({
      name: 'SnapshotError',
    });
    expect(look(base, (path) => path.startsWith('home/pgdata/'))).toEqual(before);
    rmSync(input);
    expect(await databases()).toEqual(['leoflow_dev', 'postgres']);
  });

  test('may have its workspace behind a link: that stays, and what it leads to is replaced', async () => {
    const { base, workspace } = trial.install;
    const real = join(base, 'disk', 'real-flows');
    mkdirSync(join(base, 'disk'));
    renameSync(workspace, real);
    symlinkSync('disk/real-flows', workspace);
    const target = trial.other;
    const { workspace: restored } = await restore(trial.request(target));
    expect(restored?.path).toBe(real);
    expect(readlinkSync(workspace)).toBe('disk/real-flows');
    expect(read(workspace, 'README.md')).toBe(`version ${target}`);
    expect(readdirSync(join(base, 'disk'))).toEqual(['real-flows']);
    rmSync(workspace);
    renameSync(real, workspace);
    rmSync(join(base, 'disk'), { recursive: true });
    await trial.completed(target);
  });

  test('may have a file where the workspace goes: it is kept, too', async () => {
    const { base, workspace } = trial.install;
    renameSync(workspace, `${workspace}.aside`);
    writeFileSync(workspace, 'a file');
    const { previous } = await restore({ ...keeping(), only: ['workspace'] });
    expect(read(previous[0]?.where ?? '')).toBe('a file');
    removed(workspace);
    rmSync(previous[0]?.where ?? '');
    renameSync(`${workspace}.aside`, workspace);
    expect(readdirSync(base).sort()).toEqual(['flows', 'home', 'out']);
    await trial.unchanged();
  });
});
