/** What is left out, by which rule, and what no rule can bring back. Git itself is asked what its ignore syntax means. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  createWriteStream,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { holdForBackup } from '../../src/engine/install-lock.js';
import { readArchive } from '../support/archive.js';
import { backup, lastJson, leoflow } from '../support/cli.js';
import { startBackup, untilDumpsWait } from '../support/failures.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { lendWorkers } from '../support/lent-workers.js';
import { lockTable } from '../support/lock.js';
import { ODD_NAMES, put } from '../support/tree.js';

lendWorkers();

let install: TestInstall;
let outputs = 0;

beforeAll(async () => {
  install = await createInstall();
});
afterAll(() => install?.remove());

/** A workspace of files by their paths, backed up. @returns the paths in the archive, directories with a slash */
async function archived(files: Record<string, string>, exclude: readonly string[] = []) {
  const { home, workspace, dsn } = install.another();
  for (const [path, content] of Object.entries(files)) put(join(workspace, path), content);
  return { workspace, ...(await backUp({ home, dsn, exclude })) };
}

async function backUp(options: { home: string; dsn: string; exclude?: readonly string[] }) {
  outputs += 1;
  const output = join(install.base, `${outputs}.tar.gz`);
  const result = await backup({ ...options, output, workers: 2 });
  const names = readArchive(output).flatMap(({ name }) => (name.startsWith('workspace/') ? [name.slice(10)] : []));
  return { result, names: names.filter((name) => name !== ''), leftOut: result.leftOut };
}

describe('.leoflowignore', () => {
  test('in the workspace, and counts what each pattern left out', async () => {
    const { names, leftOut } = await archived({
      '.leoflowignore': '# not these\n*.log\n/data/\n!keep.log\n\nbuild\n',
      'a.log': '',
      'keep.log': '',
      'sub/b.log': '',
      'data/x.csv': '',
      'data/y.csv': '',
      'sub/data/z.csv': '',
      'build/out': '',
      'sub/build': '',
    });
    expect(names).toEqual(['.leoflowignore', 'keep.log', 'sub/', 'sub/data/', 'sub/data/z.csv']);
    expect(leftOut).toEqual([
      { rule: '*.log (.leoflowignore)', directories: 0, files: 2 },
      { rule: 'build (.leoflowignore)', directories: 1, files: 1 },
      { rule: '/data/ (.leoflowignore)', directories: 1, files: 0 },
    ]);
  });

  test('in a directory it speaks of what is below, and wins over those above', async () => {
    const { names, leftOut } = await archived({
      '.leoflowignore': '*.tmp\n',
      'a.tmp': '',
      'sub/.leoflowignore': '!*.tmp\n/only-here\n',
      'sub/b.tmp': '',
      'sub/only-here': '',
      'sub/deeper/c.tmp': '',
      'sub/deeper/only-here': '',
      'only-here': '',
    });
    expect(names).toEqual(
      [
        'only-here',
        ...['.leoflowignore', 'b.tmp', 'deeper/', 'deeper/c.tmp', 'deeper/only-here'].map((name) => `sub/${name}`),
      ]
        .toSpliced(0, 0, '.leoflowignore')
        .toSpliced(2, 0, 'sub/'),
    );
    expect(leftOut).toEqual([
      { rule: '*.tmp (.leoflowignore)', directories: 0, files: 1 },
      { rule: '/only-here (sub/.leoflowignore)', directories: 0, files: 1 },
    ]);
  });

  test('a directory that is taken back is taken back with what is in it', async () => {
    const { names } = await archived({
      '.leoflowignore': 'logs/\n',
      'logs/a': '',
      'sub/.leoflowignore': '!logs/\n',
      'sub/logs/b': '',
      'sub/logs/deeper/c': '',
      'sub/logs/logs/d': '',
    });
    expect(names).toEqual([
      '.leoflowignore',
      'sub/',
      'sub/.leoflowignore',
      'sub/logs/',
      'sub/logs/b',
      'sub/logs/deeper/',
      'sub/logs/deeper/c',
      'sub/logs/logs/',
      'sub/logs/logs/d',
    ]);
  });

  test('one that is no file, or too large to be one, means nothing, and a warning says so', async () => {
    const { home, workspace, dsn } = install.another();
    put(join(workspace, 'a', '.leoflowignore', 'x'));
    put(join(workspace, 'b', '.leoflowignore'), `x\n${'#'.repeat(1 << 20)}`);
    put(join(workspace, 'b', 'x'));
    mkdirSync(join(workspace, 'c'));
    symlinkSync('../b/.leoflowignore', join(workspace, 'c', '.leoflowignore'));
    put(join(workspace, 'c', 'x'));
    const { names, result } = await backUp({ home, dsn });
    const warning = (directory: string, what: string) => ({
      code: 'ignore-file',
      path: join(workspace, directory, '.leoflowignore'),
      message: `it is ${what}, so nothing is left out because of it`,
      incomplete: false,
    });
    expect(result).toMatchObject({
      incomplete: false,
      warnings: [warning('a', 'no regular file'), warning('b', 'over 1 MiB long'), warning('c', 'no regular file')],
    });
    expect(names).toEqual(
      expect.arrayContaining(['a/.leoflowignore/x', 'b/x', 'b/.leoflowignore', 'c/x', 'c/.leoflowignore']),
    );
  });

  test('with a byte order mark and Windows line ends', async () => {
    const { names } = await archived({ '.leoflowignore': '\ufeffone\r\ntwo\r\n', one: '', two: '', three: '' });
    expect(names).toEqual(['.leoflowignore', 'three']);
  });

  test('in a directory that is scanned in pages', async () => {
    const files: Record<string, string> = { 'big/.leoflowignore': '*7\n!77\n' };
    for (let i = 0; i < 5000; i += 1) files[`big/${i}`] = '';
    const { names, leftOut } = await archived(files);
    expect(names.filter((name) => name.endsWith('7'))).toEqual(['big/77']);
    expect(names).toHaveLength(1 + 1 + 4500 + 1);
    expect(leftOut).toEqual([{ rule: '*7 (big/.leoflowignore)', directories: 0, files: 499 }]);
  });
});

describe('no pattern brings back', () => {
  const files = { 'venv/x': '', 'sub/node_modules/x': '', '.git/config': '', 'sub/.git': '', 'sub/venv': 'a file' };
  const built = [
    { rule: '.git', directories: 1, files: 1 },
    { rule: 'node_modules', directories: 1, files: 0 },
    { rule: 'venv', directories: 1, files: 0 },
  ];

  test('what the built-in rules leave out, as .leoflowignore', async () => {
    const patterns = '!venv\n!venv/\n!node_modules\n!.git\n!**\n!*\n!/venv/x\n';
    const { names, leftOut } = await archived({ ...files, '.leoflowignore': patterns, 'sub/.leoflowignore': patterns });
    expect(names).toEqual(['.leoflowignore', 'sub/', 'sub/.leoflowignore', 'sub/venv']);
    expect(leftOut).toEqual(built);
  });

  test('what the built-in rules leave out, as --exclude', async () => {
    const { names, leftOut } = await archived(files, ['!venv', '!venv/', '!node_modules', '!.git', '!**']);
    expect(names).toEqual(['sub/', 'sub/venv']);
    expect(leftOut).toEqual(built);
  });

  test('the home, and the archive being written', async () => {
    const { workspace, home, dsn } = install.another();
    put(join(workspace, '.leoflowignore'), '!*\n');
    const inside = join(workspace, 'inside', '.leoflow');
    mkdirSync(join(workspace, 'inside'));
    execFileSync('mv', [home, inside]);
    const output = join(workspace, 'inside', 'snap.tar.gz');
    const result = await backup({ home: inside, dsn, output, exclude: ['!*'] });
    const names = readArchive(output).map(({ name }) => name);
    expect(names.filter((name) => name.startsWith('workspace/'))).toEqual([
      'workspace/',
      'workspace/.leoflowignore',
      'workspace/inside/',
    ]);
    expect(result.leftOut).toEqual([
      { rule: 'the Leoflow home', directories: 1, files: 0 },
      { rule: 'the archive itself', directories: 0, files: 1 },
    ]);
    // The next one replaces it: then neither the old one nor the new one goes in.
    const again = await backup({ home: inside, dsn, output });
    expect(readArchive(output).map(({ name }) => name)).toEqual(names);
    expect(again.leftOut).toContainEqual({ rule: 'the archive itself', directories: 0, files: 2 });
  });

  test('what backups and restores have under way: archives of others, locks, the journal', async () => {
    const { workspace, home, dsn } = install.another();
    put(join(workspace, '.leoflowignore'), '!*\n');
    const inside = join(workspace, 'inside');
    mkdirSync(inside);
    renameSync(home, join(inside, '.leoflow'));
    await install.cluster.psql('CREATE DATABASE other', 'postgres');
    const argv = (name: string) => ['--home', join(inside, '.leoflow'), '-o', join(inside, name)];
    const release = await lockTable(install.cluster, 'dag');
    const leave = await holdForBackup(join(inside, '.leoflow'));
    try {
      const slow = startBackup(install, [...argv('slow.tar.gz'), '--dsn', dsn]);
      await untilDumpsWait(install, slow.ended);
      const state = { version: 1, state: 'committed', renames: [], carried: [] };
      writeFileSync(join(inside, '.leoflow.restore-journal.json'), JSON.stringify(state));
      // Of another machine, so that nobody can say whether it is still needed.
      put(join(inside, '.dags.leoflow-0badf00d-7-0badf00d-1.partial', 'staged.py'));
      put(join(inside, '.dags.partial'));
      writeFileSync(join(inside, 'dags.extract.restore-journal.json'), JSON.stringify(state));
      const json = await startBackup(install, [
        ...[...argv('snap.tar.gz'), '--dsn', install.cluster.urlOf('other')],
        ...['--exclude', '!*', '--json'],
      ]).ended;
      expect(json.status).toBe(0);
      const names = readArchive(join(inside, 'snap.tar.gz')).map(({ name }) => name);
      expect(names.filter((name) => name.startsWith('workspace/inside/'))).toEqual([
        'workspace/inside/',
        'workspace/inside/.dags.partial',
      ]);
      expect(lastJson(json.stdout.toString()).leftOut).toEqual([
        { rule: 'temporary files of backups and restores', directories: 1, files: 3 },
        { rule: 'the Leoflow home', directories: 1, files: 0 },
        { rule: 'the archive itself', directories: 0, files: 1 },
        { rule: 'the journal of a restore', directories: 0, files: 1 },
      ]);
      await release();
      expect(await slow.ended).toMatchObject({ status: 0 });
    } finally {
      await release();
      await leave();
    }
  });

  test('the archive when its directory is named through a link', async () => {
    const { workspace, home, dsn } = install.another();
    mkdirSync(join(workspace, 'out'));
    const link = join(install.base, 'link to out');
    symlinkSync(join(workspace, 'out'), link);
    const output = join(link, 'snap.tar.gz');
    const result = await backup({ home, dsn, output });
    expect(readArchive(output).map(({ name }) => name)).not.toContain('workspace/out/snap.tar.gz');
    expect(result.leftOut).toEqual([{ rule: 'the archive itself', directories: 0, files: 1 }]);
  });
});

describe('an archive in the workspace is told, with what would leave it out of the next one', () => {
  async function notes(options: Parameters<typeof backup>[0]): Promise<string[]> {
    const said: string[] = [];
    await backup({ ...options, onEvent: (event) => void (event.type === 'note' && said.push(event.message)) });
    return said;
  }
  const note = (pattern: string) =>
    `the archive lies in the workspace, so later backups take it along: name another --output, or leave it out with --exclude '${pattern}'`;

  test('of our own name: all of that name', async () => {
    const { home, workspace, dsn } = install.another();
    for (const [directory, pattern] of [
      ['.', '/leoflow-backup-*.tar.gz'],
      ["it's [here]/sub", "/it'\\''s \\[here\\]/sub/leoflow-backup-*.tar.gz"],
    ] as const) {
      const cwd = join(workspace, directory);
      put(join(cwd, 'leoflow-backup-2026-05-28T143045Z.tar.gz'), 'that of yesterday');
      const argv = ['lite', 'backup', '--home', home, '--dsn', dsn];
      const { status, stderr } = await leoflow(argv, { cwd });
      expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining(`\nnote: ${note(pattern)}\n`) });
      // As a shell reads it, so that it can be copied.
      const word = execFileSync('bash', ['-c', `printf %s '${pattern}'`], { encoding: 'utf8' });
      const again = await leoflow([...argv, '--json', '--exclude', word], { cwd });
      expect(again.status).toBe(0);
      expect(again.stdout.toString()).not.toContain('"type":"note"');
      expect(lastJson(again.stdout.toString()).leftOut).toContainEqual({
        rule: `${word} (--exclude)`,
        directories: 0,
        files: expect.any(Number),
      });
    }
  });

  test('of another name; not where it is left out, or lies elsewhere', async () => {
    const { home, workspace, dsn } = install.another();
    const output = join(workspace, 'out', 'snap.tar.gz');
    mkdirSync(join(workspace, 'out'));
    expect(await notes({ home, dsn, output })).toEqual([note('/out/snap.tar.gz')]);
    expect(await notes({ home, dsn, output: createWriteStream(output) })).toEqual([note('/out/snap.tar.gz')]);
    expect(await notes({ home, dsn, output, exclude: ['out/'] })).toEqual([]);
    expect(await notes({ home, dsn, output: join(install.out, 'snap.tar.gz') })).toEqual([]);
    put(join(workspace, 'out', '.leoflowignore'), '*.tar.gz\n');
    expect(await notes({ home, dsn, output })).toEqual([]);
    expect(await notes({ home, dsn, output, exclude: ['!snap.tar.gz'] })).toEqual([note('/out/snap.tar.gz')]);
  });
});

describe('the archive that a stream leads to', () => {
  test('is left out: standard output, redirected into the workspace', async () => {
    const { workspace, home, dsn } = install.another();
    put(join(workspace, 'out', 'other'), 'x');
    const output = join(workspace, 'out', 'snap.tar.gz');
    const file = openSync(output, 'w');
    const argv = ['lite', 'backup', '--home', home, '--dsn', dsn, '-o', '-'];
    const { status, stderr } = await leoflow(argv, { stdout: file });
    closeSync(file);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('the archive itself') });
    const names = readArchive(output).map(({ name }) => name);
    expect(names.filter((name) => name.startsWith('workspace/out/'))).toEqual([
      'workspace/out/',
      'workspace/out/other',
    ]);
  });

  test("is left out: the caller's file, with a name of more than ASCII", async () => {
    const { workspace, home, dsn } = install.another();
    const output = join(workspace, 'Sicherung für alle\n.tar.gz');
    const { leftOut } = await backup({ home, dsn, output: createWriteStream(output) });
    expect(readArchive(output).map(({ name }) => name)).not.toContain(`workspace/${basename(output)}`);
    expect(leftOut).toEqual([{ rule: 'the archive itself', directories: 0, files: 1 }]);
  });

  test('keeps nobody from a backup where it has no name any more', async () => {
    const { workspace, home, dsn } = install.another();
    mkdirSync(join(workspace, 'gone'));
    const output = createWriteStream(join(workspace, 'gone', 'snap.tar.gz'));
    await once(output, 'open');
    rmSync(join(workspace, 'gone'), { recursive: true });
    expect((await backup({ home, dsn, output })).leftOut).toEqual([]);
  });
});

describe('--exclude', () => {
  const files = {
    'a.csv': '',
    'b.csv': '',
    'keep.csv': '',
    'sub/c.csv': '',
    'sub/keep.csv': '',
    'x.parquet': '',
    'y.txt': '',
  };

  test('and --exclude-from count in their order on the command line', async () => {
    const { home, workspace, dsn } = install.another();
    for (const path of Object.keys(files)) put(join(workspace, path));
    const patterns = join(install.base, 'patterns');
    writeFileSync(patterns, '# comment\n\n!keep.csv\r\n*.parquet\n');
    const left = async (...argv: string[]) => {
      const output = join(install.base, 'order.tar.gz');
      const run = await leoflow(['lite', 'backup', '--home', home, '--dsn', dsn, '-o', output, '--json', ...argv]);
      expect(run).toMatchObject({ status: 0, stderr: '' });
      return lastJson(run.stdout.toString()).leftOut;
    };
    expect(await left('--exclude', '*.csv', '--exclude-from', patterns)).toEqual([
      { rule: '*.csv (--exclude)', directories: 0, files: 3 },
      { rule: '*.parquet (--exclude)', directories: 0, files: 1 },
    ]);
    expect(await left('--exclude-from', patterns, '--exclude', '*.csv')).toEqual([
      { rule: '*.csv (--exclude)', directories: 0, files: 5 },
      { rule: '*.parquet (--exclude)', directories: 0, files: 1 },
    ]);
    expect(await left('--exclude', 'sub/', '--exclude', '/y.txt')).toEqual([
      { rule: '/y.txt (--exclude)', directories: 0, files: 1 },
      { rule: 'sub/ (--exclude)', directories: 1, files: 0 },
    ]);
  });

  test('with a # in front leaves out what is called that', async () => {
    const { home, workspace, dsn } = install.another();
    for (const name of ['#recycle/old', 'recycle', '#']) put(join(workspace, name));
    const output = join(install.base, 'hash.tar.gz');
    const argv = ['lite', 'backup', '--home', home, '--dsn', dsn, '-o', output, '--json'];
    const { status, stdout } = await leoflow([...argv, '--exclude', '#recycle', '--exclude', '#']);
    expect(status).toBe(0);
    expect(lastJson(stdout.toString()).leftOut).toEqual([
      { rule: '\\# (--exclude)', directories: 0, files: 1 },
      { rule: '\\#recycle (--exclude)', directories: 1, files: 0 },
    ]);
  });

  test('wins over .leoflowignore, both ways, also for directories', async () => {
    const ignore = { '.leoflowignore': '!a.csv\nb.csv\nsub/\n' };
    const { names } = await archived({ ...files, ...ignore }, ['a.csv', '!b.csv', '!sub']);
    expect(names).toEqual([
      '.leoflowignore',
      'b.csv',
      'keep.csv',
      'sub/',
      'sub/c.csv',
      'sub/keep.csv',
      'x.parquet',
      'y.txt',
    ]);
  });

  test('tells upper case from lower case', async () => {
    const { names } = await archived({ README: '', readme: '', Readme: '' }, ['readme']);
    expect(names).toEqual(['README', 'Readme']);
  });

  test('names every odd character with a backslash', async () => {
    // A pattern has no line end, and the library reserves some characters of private use.
    const odd = ODD_NAMES.filter((name) => !/[\n\ue000-\uf8ff]|\r$/.test(name));
    const files = Object.fromEntries(odd.map((name) => [name, '']));
    const { names, leftOut } = await archived(
      files,
      odd.map((name) => `/${name.replaceAll(/[\\*?[\]! ]/g, '\\$&')}`),
    );
    expect(names).toEqual([]);
    expect(leftOut.reduce((sum, rule) => sum + rule.files, 0)).toBe(odd.length);
  });
});

describe('git would say the same', () => {
  let repository: string;
  beforeAll(() => {
    repository = join(mkdtempSync(join(install.base, 'git-')), 'git');
    execFileSync('git', ['init', '-q', '--bare', repository]);
  });

  /** The files that git's own reading of the ignore files leaves. */
  function gitKeeps(workspace: string, exclude: readonly string[]): string[] {
    const listed = execFileSync(
      'git',
      [
        `--git-dir=${repository}`,
        `--work-tree=${workspace}`,
        ...['-c', 'core.excludesFile=/dev/null', '-c', 'core.ignoreCase=false'],
        ...['ls-files', '--others', '-z', '--exclude-per-directory=.leoflowignore'],
        ...exclude.flatMap((pattern) => ['-x', pattern]),
      ],
      {
        cwd: workspace,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, GIT_CONFIG_NOSYSTEM: '1', HOME: '/nonexistent' },
      },
    );
    return listed
      .split('\0')
      .filter((path) => path !== '')
      .sort();
  }

  test('of patterns thrown together', async () => {
    const part = fc.constantFrom('a', 'b', 'c', '*', 'a*', '*b', '?', '[ab]', '[!a]', '**', 'ab', '\\a', 'c.d');
    const pattern = fc
      .tuple(
        fc.constantFrom('', '', '', '!', '!'),
        fc.constantFrom('', '', '/'),
        fc.array(part, { minLength: 1, maxLength: 3 }),
        fc.constantFrom('', '', '/'),
      )
      .map(([not, anchor, parts, slash]) => `${not}${anchor}${parts.join('/')}${slash}`);
    const patterns = fc.array(pattern, { minLength: 0, maxLength: 4 });
    const cases = fc.sample(fc.tuple(patterns, patterns, patterns, fc.array(pattern, { maxLength: 2 })), {
      numRuns: 60,
      seed: 20260528,
    });

    // All of them in one workspace, each in a directory of its own: the ignore files of one say nothing of another.
    const { home, workspace, dsn } = install.another();
    for (const [index, [top, middle, deep]] of cases.entries()) {
      for (const one of ['a', 'b', 'ab', 'c.d']) {
        for (const two of ['a', 'b', 'c']) {
          for (const three of ['a', 'b', 'ab', 'c', 'c.d']) put(join(workspace, String(index), one, two, three));
        }
        put(join(workspace, String(index), one, 'ba'));
      }
      put(join(workspace, String(index), 'c'));
      put(join(workspace, String(index), '.leoflowignore'), `${top.join('\n')}\n`);
      put(join(workspace, String(index), 'a', '.leoflowignore'), `${middle.join('\n')}\n`);
      put(join(workspace, String(index), 'a', 'b', '.leoflowignore'), deep.join('\n'));
    }
    const differences = async (exclude: readonly string[]) => {
      const { names } = await backUp({ home, dsn, exclude });
      const ours = new Set(names.filter((name) => !name.endsWith('/')));
      const gits = new Set(gitKeeps(workspace, exclude));
      const differ = [...ours, ...gits].filter((name) => ours.has(name) !== gits.has(name));
      return differ.map((name) => ({
        name,
        kept: ours.has(name),
        patterns: cases[Number(name.split('/')[0])]?.slice(0, 3),
      }));
    };
    expect(await differences([])).toEqual([]);
    for (const [, , , exclude] of cases.filter((one) => one[3].length > 0).slice(0, 3)) {
      expect({ exclude, differ: await differences(exclude) }).toEqual({ exclude, differ: [] });
    }
  });
});
