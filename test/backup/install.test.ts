/** An install that cannot be backed up: what is wrong is said, nothing is written. */
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { breakOff } from '../restore/broken-off.js';
import { recover } from '../restore/faults.js';
import { readArchive } from '../support/archive.js';
import { backup, lastJson, leoflow, underModes } from '../support/cli.js';
import { failingBackup } from '../support/failures.js';
import { configOf, createInstall, type TestInstall } from '../support/install.js';
import { put } from '../support/tree.js';

let install: TestInstall;

beforeAll(async () => {
  install = await createInstall();
});
afterAll(() => install?.remove());

/** The failure of a backup of another home that something was done to. */
async function failing(spoil: (home: string, workspace: string) => void, argv: string[] = []) {
  const { home, workspace, dsn } = install.another();
  spoil(home, workspace);
  const { status, error, hint } = await failingBackup(install, ['--home', home, '--dsn', dsn, ...argv], {
    under: underModes,
  });
  return { home, workspace, status, error, hint, config: join(home, 'config.yaml') };
}

const SETUP_HINT = 'run `leoflow setup` first, or name the Leoflow home with --home <dir>';
const CONFIG_HINT = 'correct config.yaml, or run `leoflow setup` to have it written anew';

describe('the home', () => {
  test('is not there', async () => {
    const { home, status, error, hint } = await failing((home) => rmSync(home, { recursive: true }));
    expect({ status, error, hint }).toEqual({
      status: 1,
      error: `there is no Leoflow install at ${home}`,
      hint: SETUP_HINT,
    });
    expect(existsSync(home)).toBe(false);
  });

  test('is not there, and nobody said where it should be', async () => {
    const home = join(install.base, 'nobody');
    mkdirSync(home);
    const run = await leoflow(['lite', 'backup'], { env: { HOME: home }, cwd: install.out });
    expect(run.status).toBe(1);
    expect(run.stderr).toContain(`error: there is no Leoflow install at ${join(home, '.leoflow')}\n`);
    expect([...readdirSync(home), ...install.left()]).toEqual([]);
  });

  test('is a file', async () => {
    const { home, status, error } = await failing((home) => {
      rmSync(home, { recursive: true });
      writeFileSync(home, 'x');
    });
    expect({ status, error }).toEqual({ status: 1, error: `the Leoflow home ${home} is a file, not a directory` });
  });
});

test('a restore to the home was broken off in its commit', async () => {
  for (const argv of [[], ['--start-datastore']]) {
    const { home, workspace, dsn } = install.another();
    await breakOff(home, workspace);
    const datastore = argv.length === 0 ? ['--dsn', dsn] : [];
    const { status, error, hint } = await failingBackup(install, ['--home', home, ...datastore, ...argv]);
    // Before it is noticed that there is no workspace.
    expect({ status, error, hint }).toEqual({
      status: 4,
      error: `a restore to ${home} was broken off in its commit`,
      hint: `finish or undo it first: leoflow lite restore --recover --home ${home}`,
    });
    await recover({ home });
    if (argv.length > 0) continue;
    await backup({ home, dsn, output: install.archive });
    rmSync(install.archive);
  }
});

describe('config.yaml', () => {
  test('is missing', async () => {
    const { config, status, error, hint } = await failing((home) => rmSync(join(home, 'config.yaml')));
    expect({ status, error, hint }).toEqual({
      status: 1,
      error: `${config} does not exist, so there is no install to back up`,
      hint: SETUP_HINT,
    });
  });

  test('may not be read', async () => {
    const { config, status, error, hint } = await failing((home) => chmodSync(join(home, 'config.yaml'), 0));
    expect({ status, error, hint }).toEqual({
      status: 1,
      error: `cannot read ${config}: permission denied`,
      hint: 'run this as the owner of the Leoflow home, or name another one with --home <dir>',
    });
  });

  test.each([
    ['is not YAML', 'workspace: "/flows\nport: 1\n', /is not valid at line \d+, column \d+: /],
    ['is YAML of another shape', '- a\n- b\n', /is not valid at line 1, column 1: it does not hold keys and values$/],
    ['has a tab where none may be', 'workspace: /x\nlist:\n\t- a\n', /is not valid at line 3, column 1: /],
    [
      'says things twice',
      'workspace: /x\nworkspace: /y\n',
      /is not valid at line 2, column 1: "workspace" stands there twice$/,
    ],
    [
      'names a workspace that is no string',
      'a: 1\nworkspace: [x]\n',
      /is not valid at line 2, column 12: `workspace` is not a string$/,
    ],
    ['is empty', '', /is not valid: it is empty$/],
    ['is binary', Buffer.from('a: 1\nb: \xff\xfe', 'latin1'), /is not valid at line 2, column 4: this is not UTF-8$/],
  ])('%s', async (_, content, message) => {
    const { config, status, error, hint } = await failing((home) => writeFileSync(join(home, 'config.yaml'), content));
    expect({ status, hint }).toEqual({ status: 1, hint: CONFIG_HINT });
    expect(error.startsWith(`${config} is not valid`)).toBe(true);
    expect(error).toMatch(message);
  });
});

describe('setup.json', () => {
  test('may not be read', async () => {
    const { home, status, error } = await failing((home) => chmodSync(join(home, 'setup.json'), 0));
    expect({ status, error }).toEqual({
      status: 1,
      error: `cannot read ${join(home, 'setup.json')}: permission denied`,
    });
  });

  test('need not be', async () => {
    const { home, dsn } = install.another();
    rmSync(join(home, 'setup.json'));
    const output = join(install.base, 'without.tar.gz');
    await backup({ home, dsn, output });
    expect(readArchive(output).map(({ name }) => name)).toEqual([
      'MANIFEST.json',
      'config.yaml',
      'workspace/',
      'datastore.sql',
      'INDEX.jsonl',
      'SHA256SUMS',
    ]);
  });
});

describe('the workspace', () => {
  const hint = 'create it, or correct `workspace:` in config.yaml';

  test('is not there', async () => {
    const failed = await failing((_, workspace) => rmSync(workspace, { recursive: true }));
    expect(failed).toMatchObject({
      status: 1,
      error: `the workspace ${failed.workspace} (named in ${failed.config}) does not exist`,
      hint,
    });
  });

  test('is not there, and config.yaml names none', async () => {
    const failed = await failing((home) => writeFileSync(join(home, 'config.yaml'), 'lite_port: 8088\n'));
    expect(failed).toMatchObject({
      status: 1,
      error: `the workspace ${join(install.base, 'leoflow-projects')} (${failed.config} names none, so this is the default) does not exist`,
      hint,
    });
  });

  test('is a file', async () => {
    const failed = await failing((_, workspace) => {
      rmSync(workspace, { recursive: true });
      writeFileSync(workspace, 'x');
    });
    expect(failed).toMatchObject({
      status: 1,
      error: `the workspace ${failed.workspace} (named in ${failed.config}) is a file, not a directory`,
      hint,
    });
  });

  test('may not be read', async () => {
    const failed = await failing((_, workspace) => chmodSync(workspace, 0));
    expect(failed).toMatchObject({
      status: 1,
      error: `cannot read the workspace ${failed.workspace} (named in ${failed.config}): permission denied`,
    });
  });

  test('is the home', async () => {
    const failed = await failing((home) => writeFileSync(join(home, 'config.yaml'), configOf(home)));
    expect(failed).toMatchObject({
      status: 1,
      error: `the workspace named in ${failed.config} is the Leoflow home itself`,
    });
  });

  test('may lie anywhere: behind a link, below the home, relative to where the home lies, or at the default', async () => {
    const { home, workspace, dsn } = install.another();
    put(join(workspace, 'here'));
    symlinkSync(workspace, join(install.base, 'link to flows'));
    renameSync(join(home, 'setup.json'), join(home, 'setup.json.bak'));
    mkdirSync(join(home, 'inside'));
    put(join(home, 'inside', 'here'));
    mkdirSync(join(install.base, 'leoflow-projects'));
    put(join(install.base, 'leoflow-projects', 'here'));
    for (const value of [
      join(install.base, 'link to flows'),
      join(home, 'inside'),
      `~/${workspace.slice(install.base.length + 1)}`,
      null,
    ]) {
      writeFileSync(join(home, 'config.yaml'), value === null ? '# nothing\nport: 1\n' : configOf(value));
      const output = join(install.base, 'anywhere.tar.gz');
      await backup({ home, dsn, output });
      const names = readArchive(output).map(({ name }) => name);
      expect({ value, names }).toEqual({
        value,
        names: [
          ...['MANIFEST.json', 'config.yaml', 'workspace/', 'workspace/here', 'datastore.sql'],
          ...['INDEX.jsonl', 'SHA256SUMS'],
        ],
      });
    }
  });
});

describe('a command line that is wrong writes nothing either', () => {
  test.each([
    [['--level', '12'], "--level must be a whole number from 1 to 9, not '12'"],
    [['--workers', '0'], "--workers must be a whole number from 1 to 1024, not '0'"],
    [['--colour'], "unknown option '--colour'"],
    [
      ['--dsn', 'mysql://x'],
      'the database address is not valid: it is neither a postgres:// URI nor a list of keyword=value',
    ],
  ])('%j', async (argv, message) => {
    const { status, error } = await failingBackup(install, argv);
    expect({ status, error }).toEqual({ status: 2, error: message });
    const json = await leoflow(['lite', 'backup', '--home', install.home, '-o', install.archive, ...argv, '--json']);
    expect(lastJson(json.stdout.toString())).toMatchObject({ type: 'error', error: { message }, status: 2 });
  });

  test.each([
    [{ level: 0 }, 'level must be a whole number from 1 to 9, not 0'],
    [{ workers: 1.5 }, 'workers must be a whole number from 1 to 1024, not 1.5'],
  ])('and so does a library call: %j', async (options, message) => {
    const run = backup({ home: install.home, output: install.archive, ...options });
    await expect(run).rejects.toMatchObject({ code: 'USAGE', message });
    expect(install.left()).toEqual([]);
  });
});
