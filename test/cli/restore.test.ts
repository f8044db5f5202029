/** `leoflow lite restore` as people run it: a real archive, a real process, its streams and its exit status. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { breakOff } from '../restore/broken-off.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { jsonLines, leoflow } from './support.js';

let install: TestInstall;

beforeAll(async () => {
  install = await createInstall();
  mkdirSync(join(install.workspace, 'dags'));
  mkdirSync(join(install.workspace, '.git'));
  writeFileSync(join(install.workspace, 'dags', 'etl.py'), 'print("hello")\n');
  writeFileSync(join(install.workspace, '.git', 'HEAD'), 'ref\n');
  const { status, stderr } = await leoflow(['lite', 'backup', '-q', '--home', install.home, '-o', install.archive]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

afterAll(() => install?.remove());

type More = [env?: Record<string, string>, act?: Parameters<typeof leoflow>[2], stdin?: number];
const restore = (argv: string[], ...more: More) =>
  leoflow(['lite', 'restore', '--home', install.home, ...argv], ...more);
const fromArchive = (argv: string[], ...more: More) => restore(['-i', install.archive, ...argv], ...more);

/** Everything that could have changed. */
async function state() {
  const { home, workspace, cluster } = install;
  return {
    config: readFileSync(join(home, 'config.yaml'), 'utf8'),
    home: readdirSync(home).sort(),
    base: readdirSync(install.base).sort(),
    workspace: readdirSync(workspace, { recursive: true }).sort(),
    databases: await cluster.psql('SELECT datname FROM pg_database ORDER BY 1', 'postgres'),
    runs: await cluster.psql('SELECT count(*) FROM run'),
  };
}

describe('with --force', () => {
  test('phases on stderr, the summary on stdout, and what was there is kept', async () => {
    const { home, workspace, cluster } = install;
    writeFileSync(join(workspace, 'dags', 'later.py'), 'x');
    await cluster.psql('DELETE FROM run');
    const { status, stdout, stderr } = await fromArchive(['--force']);
    expect(stderr).toBe('Judging the archive\nStaging the archive\nPutting it in place\nCleaning up\n');
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Restored: ${home}\n  archive    Leoflow \\S+`));
    expect(stdout).toContain(`\n  workspace  ${workspace}: 1 file, 2 directories, 0 links, 15 B\n`);
    expect(stdout).toContain('\n             carried over from the previous one: 1 directory (.git, .venv …)\n');
    expect(stdout).toMatch(
      /\nStop Leoflow where it runs, and start it again: leoflow lite --home \S+\nWhat was replaced .*\n$/,
    );

    expect(existsSync(join(workspace, 'dags', 'later.py'))).toBe(false);
    expect(readFileSync(join(workspace, '.git', 'HEAD'), 'utf8')).toBe('ref\n');
    expect(await cluster.psql('SELECT count(*) FROM run')).toBe('2000');

    const [previous] = stdout.match(new RegExp(`${workspace}\\.before-restore-\\S+`)) ?? [''];
    expect(existsSync(join(previous, 'dags', 'later.py'))).toBe(true);
    const [, database = ''] = /^ +database (\S+)$/m.exec(stdout) ?? [];
    expect(await cluster.psql('SELECT count(*) FROM run', database)).toBe('0');
  });

  test('--discard-previous --quiet says and leaves nothing', async () => {
    const before = await state();
    expect(await fromArchive(['--force', '--discard-previous', '--quiet'])).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    });
    expect(await state()).toEqual(before);
  });

  test('--json: events, then the result with every field of the library', async () => {
    const { status, stdout, stderr } = await fromArchive(['--force', '--discard-previous', '--json', '--workers', '1']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = jsonLines(stdout);
    const phases = lines.filter((line) => line.type === 'phase').map((line) => line.phase);
    expect(phases).toEqual(['judge', 'stage', 'commit', 'finish']);
    const last = lines.at(-1) ?? {};
    expect(last).toMatchObject({
      type: 'result',
      command: 'restore',
      dryRun: false,
      manifest: { manifest_version: 1, schema_version: 15 },
      home: install.home,
      parts: ['config', 'workspace', 'datastore'],
      incomplete: 0,
      config: ['config.yaml', 'setup.json'],
      workspace: { path: install.workspace, files: 1, directories: 2, links: 0, bytes: 15 },
      datastore: { cluster: 'running', inPlace: false },
      changes: [],
      previous: [],
      discarded: [
        install.workspace,
        ...['config.yaml', 'setup.json'].map((name) => join(install.home, name)),
        'database leoflow_dev',
      ],
      carriedOver: 1,
      workers: 1,
      status: 0,
    });
    const fields =
      'carriedOver changes command config datastore discarded dryRun durationMs format home incomplete manifest parts previous status type workers workspace';
    expect(Object.keys(last).sort()).toEqual(fields.split(' '));
  });

  test('--only, twice: what else there is stays', async () => {
    const { stdout, status } = await fromArchive([
      '--force',
      ...['--only', 'workspace', '--only', 'config', '--discard-previous'],
    ]);
    expect(status).toBe(0);
    expect(stdout).toContain('\n  untouched  datastore\n');
  });

  test('from standard input', async () => {
    const stdin = openSync(install.archive, 'r');
    const argv = ['-i', '-', '--force', '--discard-previous', '--json'];
    const { status, stdout } = await restore(argv, {}, undefined, stdin);
    closeSync(stdin);
    expect(status).toBe(0);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'result', workspace: { files: 1 } });
  });
});

test('to another home the install gets its paths, and the summary says which', async () => {
  const home = join(install.base, 'bob', '.leoflow');
  mkdirSync(join(install.base, 'bob'));
  const argv = ['--home', home, '--workspace', join(install.base, 'bob', 'flows')];
  const { status, stdout, stderr } = await fromArchive([...argv, '--only', 'config', '--only', 'workspace']);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  // Long paths get a line of their own.
  expect(stdout.replace(/\n +→/, ' →')).toContain(
    `\n  adapted    config.yaml: workspace ${install.workspace} → ${join(install.base, 'bob', 'flows')}\n`,
  );
  expect(readFileSync(join(install.base, 'bob', 'flows', 'dags', 'etl.py'), 'utf8')).toBe('print("hello")\n');
});

test('--dry-run says what would happen, and nothing happens', async () => {
  const before = await state();
  const { status, stdout, stderr } = await fromArchive(['--force', '--dry-run']);
  expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringMatching(/^Checking the archive$/m) });
  expect(stdout).toMatch(/^Dry run, nothing was changed: the archive is whole, /);
  expect(await state()).toEqual(before);
});

describe('a refusal is status 4, two lines, and no change', () => {
  test.each([
    ['an install in the way', [], {}, 'INSTALL_EXISTS|DATASTORE_BUSY', '--force'],
    ['a newer schema', ['--force'], { LEOFLOW_SUPPORTED_SCHEMA: '14' }, 'SCHEMA_TOO_NEW', 'LEOFLOW_SUPPORTED_SCHEMA'],
  ] as const)('%s', async (_, argv, env, code, words) => {
    const before = await state();
    const text = await fromArchive([...argv], env);
    expect({ status: text.status, stdout: text.stdout }).toEqual({ status: 4, stdout: '' });
    expect(text.stderr).toMatch(/^Judging the archive\nerror: .*\nhint: .*\n$/);
    expect(text.stderr).toContain(words);
    const json = await fromArchive([...argv, '--json'], env);
    expect({ status: json.status, stderr: json.stderr }).toEqual({ status: 4, stderr: '' });
    expect(jsonLines(json.stdout).at(-1)).toMatchObject({
      type: 'error',
      error: { code: expect.stringMatching(code), hint: expect.any(String) },
      status: 4,
    });
    expect(await state()).toEqual(before);
  });
});

describe('what fails is status 1, and no change', () => {
  test('an archive that is not there', async () => {
    const { status, stdout, stderr } = await restore(['-i', join(install.out, 'none.tar.gz'), '--force']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^Judging the archive\nerror: .*none\.tar\.gz.*\nhint: .*\n$/);
  });

  test('an archive that is cut off', async () => {
    const before = await state();
    const cut = join(install.out, 'cut.tar.gz');
    writeFileSync(cut, readFileSync(install.archive));
    truncateSync(cut, readFileSync(cut).length - 100);
    const { status, stdout } = await restore(['-i', cut, '--force', '--json']);
    expect(status).toBe(1);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'error', error: { code: 'ARCHIVE_TRUNCATED' }, status: 1 });
    expect(await state()).toEqual(before);
  });
});

test.each([
  ['SIGHUP', 129],
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s while it is staging ends it with %d and changes nothing', async (signal, status) => {
  const before = await state();
  const interrupted = await fromArchive(['--force'], {}, (child) => {
    child.stderr?.on('data', (text: Buffer) => {
      if (text.toString().includes('Staging')) child.kill(signal);
    });
  });
  expect(interrupted).toMatchObject({ status, stdout: '' });
  expect(interrupted.stderr).toContain(`${signal}: stopping and cleaning up; once more stops at once\n`);
  expect(interrupted.stderr).toMatch(new RegExp(`\nerror: interrupted by ${signal}\n$`));
  expect(await state()).toEqual(before);
});

test('a signal in the commit comes too late: it is finished', async () => {
  const { status, stdout, stderr } = await fromArchive(['--force', '--discard-previous'], {}, (child) => {
    child.stderr?.on('data', (text: Buffer) => {
      if (text.toString().includes('Putting')) child.kill('SIGINT');
    });
  });
  expect(stderr).toMatch(/^SIGINT: (too late to stop|everything is in place), finishing; once more stops at once/m);
  expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Restored: /) });
});

describe('--recover', () => {
  test('where nothing was broken off', async () => {
    const { status, stdout, stderr } = await restore(['--recover']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^error: .*\nhint: .*\n$/);
  });

  test('a commit that was broken off between two renames is undone', async () => {
    const before = await state();
    const { home, workspace } = install;
    await breakOff(home, workspace);

    const refused = await fromArchive(['--force', '--dry-run', '--json']);
    expect(jsonLines(refused.stdout).at(-1)).toMatchObject({ error: { code: 'RECOVERY_NEEDED' }, status: 4 });

    expect(await restore(['--recover'])).toMatchObject({
      status: 0,
      stdout: `Recovered: the restore to ${home} is undone, everything is as it was before\n`,
      stderr: '',
    });
    expect(await state()).toEqual(before);
  });
});
