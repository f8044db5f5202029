/** What a backup reads of the home, and how it says what is wrong there. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readInstall } from '../../src/engine/install/index.js';
import { asOrdinaryUser, failure, scratch, tree } from './homes.js';

const CONFIG = '# mine\nworkspace: "~/flows"   # here\nunknown: [1, 2]\n';

function user(entries: Record<string, string | Buffer | null>): { base: string; home: string } {
  const base = scratch();
  tree(base, { '.leoflow': null, ...entries });
  return { base, home: join(base, '.leoflow') };
}

describe('an install is read as it stands', () => {
  test('exact bytes, mode and mtime of both files, and the real workspace', async () => {
    const { base, home } = user({
      '.leoflow/config.yaml': `\ufeff${CONFIG.replaceAll('\n', '\r\n')}`,
      '.leoflow/setup.json': '{"python": 1}',
      flows: null,
    });
    chmodSync(join(home, 'config.yaml'), 0o600);
    utimesSync(join(home, 'config.yaml'), 1_700_000_000, 1_700_000_000.5);
    const install = await readInstall(home);
    expect(install.home).toBe(home);
    expect(install.workspace).toBe(join(base, 'flows'));
    expect(install.config.content.toString()).toBe(`\ufeff${CONFIG.replaceAll('\n', '\r\n')}`);
    expect(install.config.mode).toBe(0o600);
    expect(install.config.mtimeMs).toBe(1_700_000_000_500);
    expect(install.setup?.content.toString()).toBe('{"python": 1}');
    expect(install.setup?.path).toBe(join(home, 'setup.json'));
  });

  test('setup.json may be missing', async () => {
    const { home } = user({ '.leoflow/config.yaml': CONFIG, flows: null });
    expect((await readInstall(home)).setup).toBeNull();
  });

  test.each([
    ['no workspace key', 'lite_port: 8088\n', 'leoflow-projects'],
    ['a null workspace', 'workspace:\n', 'leoflow-projects'],
    ['a bare ~, which is YAML for null', 'workspace: ~\n', 'leoflow-projects'],
    ['an empty workspace', 'workspace: ""\n', 'leoflow-projects'],
    ['a path below ~', 'workspace: ~/a b/c\n', 'a b/c'],
    ['a relative path', "workspace: 'a b/c'\n", 'a b/c'],
    ['an alias', 'base: &b a b/c\nworkspace: *b\n', 'a b/c'],
    ['a directory inside the home', 'workspace: .leoflow/projects\n', '.leoflow/projects'],
  ])('%s', async (_, config, expected) => {
    const { base, home } = user({ '.leoflow/config.yaml': config, [expected]: null });
    expect((await readInstall(home)).workspace).toBe(join(base, expected));
  });

  test('a home directory may itself be the workspace', async () => {
    const { base, home } = user({ '.leoflow/config.yaml': 'workspace: "~"\n' });
    expect((await readInstall(home)).workspace).toBe(base);
  });

  test('symlinks are followed: of the home, of config.yaml, of the workspace; ~ stays beside the home as named', async () => {
    const { base, home } = user({ 'real-home/config.yaml': null, 'dotfiles/c.yaml': CONFIG, elsewhere: null });
    const named = join(base, 'user', '.leoflow');
    mkdirSync(join(base, 'user'));
    symlinkSync(home, named);
    symlinkSync(join(base, 'dotfiles/c.yaml'), join(home, 'config.yaml'));
    symlinkSync(join(base, 'elsewhere'), join(base, 'user/flows'));
    const install = await readInstall(named);
    expect(install.home).toBe(home);
    expect(install.namedHome).toBe(named);
    expect(install.workspace).toBe(join(base, 'elsewhere'));
  });
});

describe('what is wrong is said, with what to do', () => {
  test('no home', async () => {
    const error = await failure('HOME_NOT_FOUND', () => readInstall('/nowhere/.leoflow'));
    expect(error.message).toBe('there is no Leoflow install at /nowhere/.leoflow');
    expect(error.hint).toBe('run `leoflow setup` first, or name the Leoflow home with --home <dir>');
    expect(error.kind).toBe('failed');
  });

  test('a file in place of the home', async () => {
    const base = scratch();
    tree(base, { '.leoflow': 'x' });
    const error = await failure('HOME_NOT_FOUND', () => readInstall(join(base, '.leoflow')));
    expect(error.message).toBe(`the Leoflow home ${base}/.leoflow is a file, not a directory`);
  });

  test('no config.yaml', async () => {
    const { home } = user({});
    const error = await failure('CONFIG_NOT_FOUND', () => readInstall(home));
    expect(error.message).toBe(`${home}/config.yaml does not exist, so there is no install to back up`);
    expect(error.hint).toContain('leoflow setup');
  });

  test('a directory in place of config.yaml or setup.json', async () => {
    const { home } = user({ '.leoflow/config.yaml': null });
    const config = await failure('CONFIG_UNREADABLE', () => readInstall(home));
    expect(config.message).toBe(`cannot read ${home}/config.yaml: it is a directory, not a file`);
    const other = user({ '.leoflow/config.yaml': CONFIG, '.leoflow/setup.json': null, flows: null });
    const setup = await failure('SETUP_UNREADABLE', () => readInstall(other.home));
    expect(setup.message).toBe(`cannot read ${other.home}/setup.json: it is a directory, not a file`);
  });

  test('a FIFO in place of config.yaml does not block', async () => {
    const { home } = user({});
    spawnSync('mkfifo', [join(home, 'config.yaml')]);
    const error = await failure('CONFIG_UNREADABLE', () => readInstall(home));
    expect(error.message).toContain('it is a FIFO, not a file');
  });

  test('a config.yaml of 257 KiB is not a config', async () => {
    const { home } = user({ '.leoflow/config.yaml': '#'.repeat(257 * 1024) });
    expect((await failure('CONFIG_UNREADABLE', () => readInstall(home))).message).toContain('it is over 256 KiB long');
  });

  test.each([
    ['a secret where none may be', 'a: 1\njwt_secret: x\n} hush\n', / at line 3, column 1: /],
    ['an unknown alias', 'a: 1\nworkspace: *hush\n', / at line 2, column 12: `workspace` refers to nothing$/],
    ['not YAML', 'a: 1\nworkspace: "x\njwt_secret: hush\n', / is not valid at line \d, column \d+: /],
    ['a list that never ends', 'a: 1\nb: [1\nworkspace: x\n', / at line 3, column 1: /],
    ['a list', '- a\n- b\n', / at line 1, column 1: it does not hold keys and values$/],
    ['a sentence', '\nhello\n', / at line 2, column 1: it does not hold keys and values$/],
    ['nothing but a comment', '# empty\n', / is not valid: it is empty$/],
    ['a number for a workspace', 'a: 1\nworkspace: 12\n', / at line 2, column 12: `workspace` is not a string$/],
    ['a list for a workspace', 'workspace: [a]\n', / at line 1, column 12: `workspace` is not a string$/],
    ['a NUL in a workspace', 'workspace: "a\\0b"\n', / at line 1, column 12: `workspace` is not a string$/],
    ['a key that stands there twice', 'a: 1\nworkspace: b\na: 2\n', / at line 3, column 1: "a" stands there twice$/],
    ['Latin-1', Buffer.from('a: 1\nb: \xe4x\n', 'latin1'), / at line 2, column 4: this is not UTF-8$/],
    ['two documents', 'a: 1\n---\nb: 1\n', / at line 2, column 1: /],
    ['deeper than anybody nests, in blocks', '- '.repeat(2000), / at line 1, column \d+: it nests too deep$/],
    ['deeper than the stack', `a: ${'['.repeat(200_000)}`, / at line 1, column \d+: it nests too deep$/],
  ])('%s', async (_, config, message) => {
    const { home } = user({ '.leoflow/config.yaml': config });
    const error = await failure('CONFIG_INVALID', () => readInstall(home));
    expect(error.message).toMatch(message);
    expect(error.message).toContain(join(home, 'config.yaml'));
    expect(error.message).not.toContain('hush');
    expect(error.hint).toContain('correct config.yaml');
  });

  test('a workspace that is not there, named or not', async () => {
    const named = user({ '.leoflow/config.yaml': CONFIG });
    const error = await failure('WORKSPACE_NOT_FOUND', () => readInstall(named.home));
    expect(error.message).toBe(`the workspace ${named.base}/flows (named in ${named.home}/config.yaml) does not exist`);
    expect(error.hint).toBe('create it, or correct `workspace:` in config.yaml');
    const unnamed = user({ '.leoflow/config.yaml': 'a: 1\n' });
    expect((await failure('WORKSPACE_NOT_FOUND', () => readInstall(unnamed.home))).message).toContain(
      `${unnamed.base}/leoflow-projects (${unnamed.home}/config.yaml names none, so this is the default)`,
    );
  });

  test('a file in place of the workspace', async () => {
    const { base, home } = user({ '.leoflow/config.yaml': CONFIG, flows: 'x' });
    const error = await failure('WORKSPACE_NOT_FOUND', () => readInstall(home));
    expect(error.message).toBe(`the workspace ${base}/flows (named in ${home}/config.yaml) is a file, not a directory`);
  });

  test('the home as its own workspace, also through a symlink', async () => {
    const { base, home } = user({ '.leoflow/config.yaml': CONFIG });
    symlinkSync('.leoflow', join(base, 'flows'));
    const error = await failure('WORKSPACE_IS_HOME', () => readInstall(home));
    expect(error.message).toBe(`the workspace named in ${home}/config.yaml is the Leoflow home itself`);
    expect(error.hint).toContain('workspace:');
  });

  test('a workspace that goes round in circles', async () => {
    const { base, home } = user({ '.leoflow/config.yaml': CONFIG });
    symlinkSync('flows', join(base, 'flows'));
    expect((await failure('WORKSPACE_UNREADABLE', () => readInstall(home))).message).toContain(
      'too many symbolic links',
    );
  });

  test('files and directories that this user may not read', () =>
    asOrdinaryUser(async () => {
      const { base, home } = user({ '.leoflow/config.yaml': CONFIG, '.leoflow/setup.json': '{}', flows: null });
      chmodSync(join(base, 'flows'), 0);
      const workspace = await failure('WORKSPACE_UNREADABLE', () => readInstall(home));
      expect(workspace.message).toContain('permission denied');
      chmodSync(join(base, 'flows'), 0o700);
      chmodSync(join(home, 'setup.json'), 0);
      expect((await failure('SETUP_UNREADABLE', () => readInstall(home))).message).toContain('permission denied');
      chmodSync(join(home, 'config.yaml'), 0);
      expect((await failure('CONFIG_UNREADABLE', () => readInstall(home))).message).toContain('permission denied');
    }));
});
