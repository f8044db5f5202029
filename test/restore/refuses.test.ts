/** What a restore refuses, before it writes anything. See docs/restore.md, "What is refused". */
import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { claiming, programs } from '../datastore/fixtures.js';
import { underModes } from '../support/cli.js';
import { createInstall } from '../support/install.js';
import { lendWorkers } from '../support/lent-workers.js';
import { isRoot, look, put } from '../support/tree.js';
import { restore, runRestore, start } from './faults.js';
import { type FreshPlace, freshPlace, REFERENCE, repacked, setUp, withDump, withManifest } from './fresh-place.js';
import { connect, disconnectAll } from './sessions.js';
import { Trial } from './trial.js';

lendWorkers();

let place: FreshPlace;
/** Path of an archive of the test's own. */
let archive: string;

beforeEach(() => {
  place = freshPlace();
  archive = join(place.base, 'snap.tar.gz');
});
afterEach(async () => {
  await place.remove();
});

/** All but the database: what is judged is the same, and nothing has to be made for it. */
const FILES = { only: ['config', 'workspace'] } as const;

/** A restore is refused, with and without `--force` where nothing is said, in a dry run and in earnest; and nothing changes. */
async function refused(
  options: {
    input?: string;
    only?: readonly ('config' | 'workspace' | 'datastore')[];
    workspace?: string;
    pgBin?: string;
  },
  error: { code: string; kind?: string; message: string | RegExp; hint?: string | RegExp },
  forces = [false, true],
): Promise<void> {
  const without = (path: string) => path === 'snap.tar.gz';
  const before = look(place.base, without);
  const text = (wanted: string | RegExp) => (typeof wanted === 'string' ? wanted : expect.stringMatching(wanted));
  for (const force of forces) {
    for (const dryRun of [true, false]) {
      const call = restore({ home: place.home, input: REFERENCE, workers: 1, ...options, force, dryRun });
      await expect(call).rejects.toMatchObject({
        name: 'SnapshotError',
        kind: 'refused',
        ...error,
        message: text(error.message),
        ...(error.hint !== undefined && { hint: text(error.hint) }),
      });
    }
  }
  const after = look(place.base, without);
  // The lock came and went.
  for (const seen of [before, after]) seen.delete('');
  expect(after).toEqual(before);
}

describe('a schema newer than this install reads', () => {
  const environment = { ...process.env };

  afterEach(() => {
    process.env.PATH = environment.PATH;
    process.env.LEOFLOW_SUPPORTED_SCHEMA = environment.LEOFLOW_SUPPORTED_SCHEMA;
    if (environment.LEOFLOW_SUPPORTED_SCHEMA === undefined) delete process.env.LEOFLOW_SUPPORTED_SCHEMA;
  });

  const hint =
    'upgrade Leoflow to the release that made the archive (v0.0.1-prealpha.20) or a newer one; --force does not help';

  test('by what LEOFLOW_SUPPORTED_SCHEMA says', async () => {
    process.env.LEOFLOW_SUPPORTED_SCHEMA = '14';
    const message =
      'the archive has schema version 15, and this install reads up to version 14 (LEOFLOW_SUPPORTED_SCHEMA)';
    await refused({}, { code: 'SCHEMA_TOO_NEW', message, hint });
    process.env.LEOFLOW_SUPPORTED_SCHEMA = '15';
    expect((await restore({ home: place.home, input: REFERENCE, dryRun: true })).manifest.schema_version).toBe(15);
  });

  test('by the migrations in the installed Leoflow', async () => {
    const binary = join(place.base, 'bin', 'leoflow');
    put(binary, '\x7fELF…migrations/013_runs.up.sql…migrations/014_xcom.up.sql…');
    chmodSync(binary, 0o755);
    process.env.PATH = `${join(place.base, 'bin')}:/usr/bin:/bin`;
    const message = `the archive has schema version 15, and this install reads up to version 14 (the migrations in ${binary})`;
    await refused({}, { code: 'SCHEMA_TOO_NEW', message, hint });
  });

  test('by what was known when this program was released', async () => {
    process.env.PATH = '/usr/bin:/bin';
    withManifest(archive, (manifest) => ({ ...manifest, schema_version: 27 }));
    const message =
      'the archive has schema version 27, and this install reads up to version 26 (leoflow-snapshot itself, as no Leoflow binary is on PATH)';
    await refused({ input: archive }, { code: 'SCHEMA_TOO_NEW', message, hint });
  });
});

describe('an archive that is not one of a backup, or of a later one', () => {
  test('without MANIFEST.json', async () => {
    repacked(archive, (tree) => rmSync(join(tree, 'MANIFEST.json')));
    await refused(
      { input: archive },
      {
        code: 'MANIFEST_MISSING',
        message: 'the archive has no MANIFEST.json',
        hint: 'it was not written by a Leoflow backup, or was repacked without it; name another archive',
      },
    );
  });

  test.each([
    ['missing', undefined, 'the MANIFEST.json of the archive has no manifest_version; this program reads version 1'],
    ['0', 0, 'the MANIFEST.json of the archive has the manifest_version 0; this program reads version 1'],
    ['a string', '1', 'the MANIFEST.json of the archive has the manifest_version "1"; this program reads version 1'],
    ['2', 2, 'the archive has manifest_version 2; this program reads up to version 1'],
  ])('with a manifest_version that is %s', async (_, version, message) => {
    withManifest(archive, (manifest) => ({ ...manifest, manifest_version: version }));
    const hint =
      version === 2 ? /^restore it with the newer release/ : /^the archive is damaged, or was not written by a/;
    await refused({ input: archive }, { code: 'MANIFEST_VERSION', message, hint });
  });

  test('without a dump, unless none is wanted', async () => {
    repacked(archive, (tree) => rmSync(join(tree, 'datastore.sql')));
    await refused(
      { input: archive },
      { code: 'ARCHIVE_DAMAGED', kind: 'failed', message: /there is no datastore\.sql in it/ },
    );
    expect((await restore({ home: place.home, input: archive, ...FILES })).datastore).toBeNull();
  });

  test('but not one of another release, with fields nobody knows, and the manifest last', async () => {
    repacked(
      archive,
      (tree) => {
        const manifest = {
          manifest_version: 1,
          leoflow_version: 'v9.9.9',
          schema_version: 1,
          created_at: 'then',
          later: [{}],
        };
        writeFileSync(join(tree, 'MANIFEST.json'), JSON.stringify(manifest));
      },
      ['datastore.sql', 'workspace', 'setup.json', 'config.yaml', 'MANIFEST.json'],
    );
    const result = await restore({ home: place.home, input: archive, ...FILES });
    expect(result.manifest).toMatchObject({ leoflow_version: 'v9.9.9', later: [{}] });
    expect(result.workspace?.files).toBe(7);
  });
});

describe('an install in the way, without --force', () => {
  const hint =
    'to replace it, add --force; what it replaces is kept under another name unless you say --discard-previous';
  const inTheWay = (...findings: string[]) => ({
    code: 'INSTALL_EXISTS',
    message: `there is an install at ${place.home} already: ${findings.join('; ')}`,
    hint,
  });

  test.each<[string, (place: FreshPlace) => void, (place: FreshPlace) => string[]]>([
    [
      'a config.yaml of somebody’s own',
      ({ home }) => put(join(home, 'config.yaml'), 'workspace: ~/x\n'),
      ({ home }) => [`${home}/config.yaml stands there without a setup.json`],
    ],
    [
      'a config.yaml changed since the setup',
      (fresh) => {
        setUp(fresh);
        utimesSync(join(fresh.home, 'config.yaml'), 1, 1);
      },
      ({ home }) => [`${home}/config.yaml is not as \`leoflow setup\` left it`],
    ],
    [
      'a project in the workspace',
      (fresh) => {
        setUp(fresh);
        put(join(fresh.base, 'leoflow', 'etl', 'dag.py'), '');
      },
      ({ base }) => [`the workspace ${base}/leoflow holds etl/dag.py`],
    ],
    [
      'a file that nobody can explain',
      ({ home }) => put(join(home, 'notes.txt'), ''),
      ({ home }) => [`${home}/notes.txt is nothing that \`leoflow setup\` makes`],
    ],
    [
      'a home that is no directory',
      ({ home }) => writeFileSync(home, ''),
      ({ home }) => [`${home} cannot be listed: not a directory`],
    ],
  ])('%s', async (_, make, findings) => {
    make(place);
    await refused(FILES, inTheWay(...findings(place)), [false]);
  });

  test('a project where the workspace was named to go, and no home at all', async () => {
    const workspace = join(place.base, 'flows');
    put(join(workspace, 'dag.py'), '');
    await refused({ ...FILES, workspace }, inTheWay(`the workspace ${workspace} holds dag.py`), [false]);
  });

  test('a database with tables, also one that has to be started to be looked into', async () => {
    const install = await createInstall();
    try {
      rmSync(join(install.home, 'config.yaml'));
      rmSync(join(install.home, 'setup.json'));
      for (const stop of [() => {}, () => install.cluster.stop()]) {
        await stop();
        const call = restore({ home: install.home, input: REFERENCE });
        const message = `there is an install at ${install.home} already: its datastore holds tables`;
        await expect(call).rejects.toMatchObject({ code: 'INSTALL_EXISTS', message, hint });
      }
      expect(await install.cluster.pid()).toBeUndefined();
    } finally {
      await install.remove();
    }
  });

  test('but not the remains of a restore that was killed', async () => {
    setUp(place);
    const fault = { calls: 'files', from: 'commit', at: 1, signal: 'SIGKILL' } as const;
    const options = { home: place.home, input: REFERENCE, ...FILES, only: [...FILES.only] };
    expect((await runRestore(options, { base: place.base, fault })).status).toBeNull();
    expect(place.names().home.filter((name) => name.endsWith('.partial'))).toHaveLength(2);
    expect((await restore({ ...options, dryRun: true })).dryRun).toBe(true);
    await restore(options);
    expect(place.names().home.filter((name) => name.endsWith('.partial'))).toEqual([]);
  });
});

describe('a workspace that nobody here has named, and that is in use', () => {
  const unsafe = (workspace: string, finding: string) => ({
    code: 'WORKSPACE_UNSAFE',
    message: `the workspace would be restored to ${workspace}, which is neither that of the install here nor named with --workspace: ${finding}`,
    hint: 'name a directory with --workspace <dir>: another one, or this one with --force to have all of it replaced',
  });

  test('where there is no home', async () => {
    const workspace = join(place.base, 'leoflow');
    put(join(workspace, 'dag.py'), '');
    await refused(FILES, unsafe(workspace, `the workspace ${workspace} holds dag.py`));
    const { previous } = await restore({ home: place.home, input: REFERENCE, ...FILES, workspace, force: true });
    expect(previous.map(({ what }) => what)).toEqual([workspace]);
  });

  test('where there is an install with another one, also behind a link', async () => {
    setUp(place);
    const documents = join(place.base, 'Documents');
    put(join(documents, 'thesis.txt'), 'years of work');
    symlinkSync('Documents', join(place.base, 'docs'));
    for (const name of ['Documents', 'docs']) {
      repacked(archive, (tree) => writeFileSync(join(tree, 'config.yaml'), `workspace: ~/${name}\n`));
      await refused({ input: archive, ...FILES }, unsafe(documents, `the workspace ${documents} holds thesis.txt`));
    }
  });

  test('but not one with nothing in it, or only what a scaffold leaves', async () => {
    setUp(place);
    put(join(place.base, 'Documents', 'README.md'), '');
    repacked(archive, (tree) => writeFileSync(join(tree, 'config.yaml'), 'workspace: ~/Documents\n'));
    const { workspace } = await restore({ home: place.home, input: archive, ...FILES });
    expect(workspace).toMatchObject({ path: join(place.base, 'Documents'), files: 7 });
  });
});

describe('a database that is in use, without --force', () => {
  let trial: Trial;
  beforeAll(async () => {
    trial = await Trial.begin();
  });
  afterEach(disconnectAll);
  afterAll(async () => {
    await trial?.install.remove();
  });

  const inUse = (pid: string) => ({
    name: 'SnapshotError',
    code: 'DATASTORE_BUSY',
    message: `the database leoflow_dev is in use by leoflow server of leoflow (pid ${pid}, local)`,
    hint: 'stop `leoflow lite` and whatever else is connected, or let --force end these sessions',
  });

  test('names who uses it', async () => {
    const { home } = trial.install;
    const empty = await createInstall({ sql: 'SELECT' });
    try {
      rmSync(join(empty.home, 'config.yaml'));
      rmSync(join(empty.home, 'setup.json'));
      const { pid } = await connect(empty.cluster);
      const options = { home: empty.home, input: REFERENCE, workspace: join(empty.base, 'other') };
      await expect(restore(options)).rejects.toMatchObject({ ...inUse(pid), kind: 'refused' });
      // An install in the way is the greater obstacle, and told first.
      await connect(trial.install.cluster);
      await expect(restore({ home, input: trial.install.archives.A })).rejects.toMatchObject({
        code: 'INSTALL_EXISTS',
      });
    } finally {
      await empty.remove();
    }
  });

  test('with it, ends these sessions', async () => {
    const { pid } = await connect(trial.install.cluster);
    await trial.again();
    expect(await trial.install.cluster.psql(`SELECT count(*) FROM pg_stat_activity WHERE pid = ${pid}`)).toBe('0');
  });

  test('is noticed, too, where it begins while the restore is under way', async () => {
    const empty = await createInstall({ sql: 'SELECT' });
    try {
      rmSync(join(empty.home, 'config.yaml'));
      rmSync(join(empty.home, 'setup.json'));
      const { base, home, workspace } = empty;
      const request = { home, input: REFERENCE, workspace, workers: 1 };
      const before = look(base, (path) => path.startsWith('home/pgdata'));
      const fault = { calls: 'files', from: 'commit', at: 3, signal: 'SIGSTOP' } as const;
      const paused = start('restore', request, { base, fault });
      await paused.stopped();
      const { pid } = await connect(empty.cluster);
      paused.resume();
      expect((await paused.ended).error).toMatchObject(inUse(pid));
      expect([...look(base, (path) => path.startsWith('home/pgdata')).keys()]).toEqual([...before.keys()]);
    } finally {
      disconnectAll();
      await empty.remove();
    }
  });
});

describe('what the machine lacks', () => {
  test('a dump of a newer PostgreSQL than the server, with both versions', async () => {
    withDump(archive, (dump) =>
      dump.replace('Dumped from database version 15.18', 'Dumped from database version 99.1'),
    );
    await refused(
      { input: archive },
      {
        code: 'SERVER_TOO_OLD',
        message:
          /^the dump in the archive comes from PostgreSQL 99\.1 \S.*, and the server here is PostgreSQL \d+\.\d+.*, which is older$/,
        hint: 'restore into PostgreSQL 99 or newer',
      },
    );
  });

  test('room', async () => {
    await copyFile(REFERENCE, archive);
    truncateSync(archive, 8 * 2 ** 40);
    await refused(
      { input: archive, ...FILES },
      {
        code: 'STAGING_FULL',
        kind: 'failed',
        message: new RegExp(`^restoring takes at least 8796094 MB in ${place.base}, and \\d+ MB are free$`),
        hint: 'free some space there, or choose another place with --workspace; nothing was changed',
      },
    );
  });

  test('a psql', async () => {
    const pgBin = join(place.base, 'empty');
    mkdirSync(pgBin);
    await refused(
      { pgBin },
      { code: 'TOOL_NOT_FOUND', kind: 'failed', message: `there is no working psql in ${pgBin}` },
    );
  });

  test('a psql that can be locked', async () => {
    const pgBin = await programs(place.base, { psql: claiming('psql', '15.13') });
    await refused(
      { pgBin },
      {
        code: 'TOOL_TOO_OLD',
        kind: 'failed',
        message: `psql 15.13 (${pgBin}/psql) cannot be locked against commands in a dump: it does not know \\restrict`,
        hint: /^update the PostgreSQL client to 15\./,
      },
    );
    expect(place.names().base.filter((name) => !name.startsWith('bin-'))).toEqual([]);
  });

  test.each([
    ['beside the workspace', 'flows', /^cannot write beside the workspace, in \S+\/closed: permission denied$/],
    ['beside the home', '.leoflow', /^cannot write beside the Leoflow home, in \S+\/closed: permission denied$/],
    ['below either', 'flows/deeper/still', /^cannot write beside the workspace, in \S+: permission denied$/],
  ])('a right to write %s', async (_, name, message) => {
    const closed = join(place.base, 'closed');
    mkdirSync(closed);
    if (isRoot) chownSync(place.base, 0, 0);
    chmodSync(closed, 0o555);
    const home = name === '.leoflow' ? join(closed, name) : place.home;
    const options = { home, workspace: join(closed, name.replace('.leoflow', 'flows')), input: REFERENCE };
    const { error } = await runRestore(
      { ...options, only: ['config', 'workspace'] },
      { base: place.base, under: underModes },
    );
    expect(error).toMatchObject({ code: 'STAGING_WRITE', message: expect.stringMatching(message) });
    expect(error?.hint).toMatch(/^make that directory writable.*; nothing was changed$/);
    expect(place.names()).toEqual({ base: ['closed'], home: [] });
  });
});

describe('a place for the workspace', () => {
  test.each([
    ['the root directory', () => '/', 'the root directory'],
    ['the home', () => place.home, 'the Leoflow home itself'],
    ['the directory that the home lies in', () => place.base, 'the home directory that the Leoflow home lies in'],
    ['a part of the home', () => join(place.home, 'pgdata', 'x'), 'inside the Leoflow home'],
  ])('that is %s', async (_, path, what) => {
    await refused(
      { workspace: path() },
      {
        code: 'WORKSPACE_UNSAFE',
        message: `the workspace would be restored to ${path()}, which is ${what}`,
        hint: 'name a directory of its own with --workspace <dir>; a restore replaces the workspace as a whole',
      },
    );
  });

  test('that leads there by a link', async () => {
    symlinkSync('.', join(place.base, 'link'));
    await refused(
      { workspace: join(place.base, 'link') },
      { code: 'WORKSPACE_UNSAFE', message: /which is the home directory that/ },
    );
  });

  test('that lies below a file', async () => {
    writeFileSync(join(place.base, 'file'), '');
    await refused(
      { workspace: join(place.base, 'file', 'flows') },
      {
        code: 'WORKSPACE_UNREADABLE',
        kind: 'failed',
        message: `cannot look into ${place.base}/file/flows: not a directory`,
        hint: 'run this as a user who may, or choose another place with --workspace',
      },
    );
  });
});
