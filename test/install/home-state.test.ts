/** What counts as an install in the way of a restore, and what does not. */
import { symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { judgeHome } from '../../src/engine/install/index.js';
import { scratch, tree } from './homes.js';

const SETUP_AT = Date.parse('2026-05-28T12:00:00Z') / 1000;
let base: string;
let home: string;
let target: string;

beforeEach(() => {
  base = scratch();
  home = join(base, '.leoflow');
  target = join(base, 'leoflow');
});

/** What `leoflow setup` leaves behind, its two files written `seconds` apart from what setup.json states. */
function afterSetup(seconds = { config: -1, setup: 0 }, more: Record<string, string | Buffer | null> = {}): void {
  tree(base, {
    '.leoflow/config.yaml': `workspace: "${target}"\nlite_port: 8088\n`,
    '.leoflow/setup.json': `{ "python": "/usr/bin/python3", "updated_at": "2026-05-28T12:00:00Z" }`,
    '.leoflow/postgres/bin/psql': '',
    '.leoflow/python/bin/python3': '',
    '.leoflow/venv': null,
    '.leoflow/pysrc/parser/x.py': '',
    leoflow: null,
    ...more,
  });
  const { config, setup } = seconds;
  utimesSync(join(home, 'config.yaml'), SETUP_AT + config, SETUP_AT + config);
  utimesSync(join(home, 'setup.json'), SETUP_AT + setup, SETUP_AT + setup);
}

const judge = () => judgeHome(home, target, 'absent');

async function findings(datastore: Parameters<typeof judgeHome>[2] = 'absent'): Promise<string[]> {
  const state = await judgeHome(home, target, datastore);
  expect(state.kind).toBe('install');
  return state.kind === 'install' ? state.findings : [];
}

describe('a home is free', () => {
  test('when it does not exist', async () => {
    expect(await judge()).toEqual({ kind: 'free', reason: 'does not exist' });
  });

  test('when it is empty', async () => {
    tree(home, { '.': null });
    expect(await judge()).toEqual({ kind: 'free', reason: 'is empty' });
  });

  test('after `leoflow setup` alone', async () => {
    afterSetup();
    expect(await judge()).toEqual({ kind: 'free', reason: 'holds only what `leoflow setup` leaves behind' });
  });

  test('after `leoflow setup` and a start of Lite that made no tables', async () => {
    afterSetup(undefined, {
      '.leoflow/pgdata/PG_VERSION': '16',
      '.leoflow/dev/postgres.log': 'x',
      '.leoflow/dev/db-port': '5432',
    });
    expect((await judgeHome(home, target, 'empty')).kind).toBe('free');
  });

  test('with tools only, linked ones too', async () => {
    tree(base, { '.leoflow/venv': null, tools: null });
    symlinkSync('../tools', join(home, 'postgres'));
    expect((await judge()).kind).toBe('free');
  });

  test('with a scaffolded workspace', async () => {
    afterSetup(undefined, {
      'leoflow/README.md': '# Flows\n',
      'leoflow/.gitignore': '.venv\n',
      'leoflow/.leoflowignore': '',
      'leoflow/dags/empty': null,
    });
    expect((await judge()).kind).toBe('free');
  });

  test('when it is a symlink to an empty directory', async () => {
    tree(base, { data: null });
    symlinkSync('data', home);
    expect((await judge()).kind).toBe('free');
  });
});

describe('an install is in the way', () => {
  test('when config.yaml was edited after setup, or setup.json is older', async () => {
    const edited = [`${join(home, 'config.yaml')} is not as \`leoflow setup\` left it`];
    afterSetup({ config: 3600, setup: 0 });
    expect(await findings()).toEqual(edited);
    afterSetup({ config: 3600, setup: 3600 });
    expect(await findings()).toEqual(edited);
    afterSetup({ config: -3600, setup: 0 });
    expect(await findings()).toEqual(edited);
  });

  test('when setup.json does not say when it was written, or is not JSON', async () => {
    afterSetup(undefined, { '.leoflow/setup.json': '{}' });
    expect(await findings()).toHaveLength(1);
    afterSetup(undefined, { '.leoflow/setup.json': 'x' });
    expect(await findings()).toHaveLength(1);
  });

  test('when only one of config.yaml and setup.json is there', async () => {
    tree(home, { 'config.yaml': 'a: 1\n' });
    expect(await findings()).toEqual([`${home}/config.yaml stands there without a setup.json`]);
    home = join(base, 'other/.leoflow');
    tree(home, { 'setup.json': '{}' });
    expect(await findings()).toEqual([`${home}/setup.json stands there without a config.yaml`]);
  });

  test('when config.yaml cannot be understood or read', async () => {
    afterSetup(undefined, { '.leoflow/config.yaml': 'a: [1\n' });
    expect((await findings())[0]).toMatch(/config\.yaml is not valid at line \d/);
    home = join(base, 'other/.leoflow');
    tree(home, { 'config.yaml': null });
    expect(await findings()).toEqual([`${home}/config.yaml cannot be read: it is a directory, not a file`]);
  });

  test('when there is a file that nobody can explain', async () => {
    afterSetup(undefined, { '.leoflow/notes.txt': '' });
    expect(await findings()).toEqual([`${home}/notes.txt is nothing that \`leoflow setup\` makes`]);
  });

  test('also a hidden one, a file in place of a directory, a dangling link, something strange in dev/', async () => {
    afterSetup(undefined, { '.leoflow/.x': null, '.leoflow/dev/backup.sql': '', '.leoflow/pgdata': '' });
    symlinkSync('/nowhere', join(home, 'tools'));
    expect(await findings()).toEqual([
      `${home}/.x, ${home}/dev/backup.sql, ${home}/pgdata, ${home}/tools are nothing that \`leoflow setup\` makes`,
    ]);
  });

  test('many of them are not all named', async () => {
    tree(home, { a: '', b: '', c: '', d: '', e: '', f: '', g: '' });
    expect((await findings())[0]).toMatch(/\/e and 2 more are nothing/);
  });

  test('when the datastore holds tables, or could not be asked', async () => {
    afterSetup(undefined, { '.leoflow/pgdata/PG_VERSION': '16' });
    expect(await findings('tables')).toEqual(['its datastore holds tables']);
    expect(await findings('unknown')).toEqual(['its datastore could not be looked into']);
  });

  test('when there is a cluster although the caller knows of no datastore', async () => {
    afterSetup(undefined, { '.leoflow/pgdata/PG_VERSION': '16' });
    expect((await findings())[0]).toContain(`${home}/pgdata/PG_VERSION is nothing`);
  });

  test('when the home is a file or leads nowhere', async () => {
    tree(base, { '.leoflow': 'x' });
    expect(await findings()).toEqual([`${home} cannot be listed: not a directory`]);
    home = join(base, 'dangling');
    symlinkSync('/nowhere', home);
    expect(await findings()).toHaveLength(1);
  });
});

describe('a workspace is in the way', () => {
  test.each([
    ['a file', 'leoflow/dag.py', 'dag.py'],
    ['a file further down', 'leoflow/a/b/dag.py', 'a/b/dag.py'],
    ['a repository', 'leoflow/.git/HEAD', '.git/HEAD'],
    ['a scaffold name further down', 'leoflow/a/README.md', 'a/README.md'],
  ])('that holds %s, even where there is no home', async (_, file, named) => {
    tree(base, { [file]: 'x' });
    expect(await findings()).toEqual([`the workspace ${target} holds ${named}`]);
  });

  test('that holds a README.md somebody wrote', async () => {
    tree(base, { 'leoflow/README.md': 'x'.repeat(5000) });
    expect(await findings()).toEqual([`the workspace ${target} holds README.md`]);
  });

  test('that holds a link', async () => {
    tree(base, { leoflow: null });
    symlinkSync('/etc', join(target, 'README.md'));
    expect(await findings()).toEqual([`the workspace ${target} holds README.md`]);
  });

  test('that is a file, or a link to nowhere', async () => {
    tree(base, { leoflow: 'x' });
    expect(await findings()).toEqual([`a file stands at ${target}, where the workspace goes`]);
    target = join(base, 'dangling');
    symlinkSync('/nowhere', target);
    expect(await findings()).toEqual([`a broken symbolic link stands at ${target}, where the workspace goes`]);
  });

  test("that is the install's own, though the archive's goes elsewhere", async () => {
    afterSetup(undefined, { 'leoflow/dag.py': 'x' });
    const own = target;
    target = join(base, 'elsewhere');
    expect(await findings()).toEqual([`the workspace ${own} holds dag.py`]);
  });

  test('that lies inside the home; an empty one there is free', async () => {
    afterSetup(undefined, { '.leoflow/config.yaml': 'workspace: .leoflow/projects\n', '.leoflow/projects': null });
    expect((await judge()).kind).toBe('free');
    tree(home, { 'projects/dag.py': '' });
    expect(await findings()).toEqual([`the workspace ${home}/projects holds dag.py`]);
  });
});
