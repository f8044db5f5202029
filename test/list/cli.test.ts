/** `leoflow lite list` as people and scripts run it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, symlinkSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command, jsonLines, LEOFLOW, leoflow } from '../cli/support.js';
import { Shelf, withIndex } from '../index/support.js';
import { readArchive, untar } from '../support/archive.js';
import { blocksOf, directory, file, indexed, largeFile } from '../support/forge/archive.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { backup } from '../support/library.js';
import { growOddTree, MIB, put } from '../support/tree.js';

const REFERENCE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));
const shelf = new Shelf();
const ODD = [
  '-rf',
  ' lead',
  'a\nb',
  'back\\slash',
  'br[a]cket',
  'bell\u0007',
  'what?',
  'star*',
  'quo"te',
  '日本',
  '🦊',
];

let install: TestInstall;
let archive: string;
/** All names in it, as they are. */
let names: string[];

beforeAll(async () => {
  install = await createInstall();
  growOddTree(install.workspace, 300);
  for (const name of ODD) put(join(install.workspace, 'list', name), name);
  put(join(install.workspace, 'list/sub/deep/x.py'), 'x');
  put(join(install.workspace, 'list/large.bin'), Buffer.alloc(3 * MIB, 'x'));
  mkdirSync(join(install.workspace, 'list/empty'));
  symlinkSync('sub/deep', join(install.workspace, 'list/link'));
  put(join(install.workspace, 'list/setuid'), 'x');
  chmodSync(join(install.workspace, 'list/setuid'), 0o4711);
  utimesSync(join(install.workspace, 'list/setuid'), 1_700_000_000, 1_700_000_000);
  await backup({ home: install.home, output: install.archive, workers: 2 });
  archive = install.archive;
  names = readArchive(archive).map(({ name }) => name);
});
afterAll(async () => {
  shelf.remove();
  await install?.remove();
});

/** Runs it, and expects nothing on stderr. */
async function listed(...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await leoflow(['lite', 'list', ...argv]);
  expect({ argv, status, stderr }).toEqual({ argv, status: 0, stderr: '' });
  return stdout;
}
const exact = async (...argv: string[]) => (await listed('--null', ...argv)).split('\0').slice(0, -1);

describe('without patterns', () => {
  test('all names, in the order of the archive, whatever is in them', async () => {
    expect(await exact(archive)).toEqual(names);
  });

  test('one line is one name: what would break a line or steer a terminal is escaped', async () => {
    const lines = (await listed(archive)).trimEnd().split('\n');
    expect(lines).toHaveLength(names.length);
    expect(lines).toContain('workspace/list/a\\nb');
    expect(lines).toContain('workspace/list/bell\\x07');
    expect(lines).toContain('workspace/list/back\\slash');
    expect(lines).toContain('workspace/list/🦊');
  });

  test('--long is what tar tv shows, but for the owner', async () => {
    const { TZ = 'UTC' } = process.env;
    const { stdout } = await leoflow(['lite', 'list', '-l', archive], { TZ });
    const tar = spawnSync('tar', ['tvzf', archive, '--quoting-style=literal', '--show-transformed-names'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, TZ, LC_ALL: 'C.UTF-8' },
      maxBuffer: 1 << 26,
    });
    // Names that tar prints as they are; it pads sizes by what has come so far.
    const comparable = (text: string) =>
      text
        .replaceAll(' 0/0 ', ' ')
        .split('\n')
        .filter((line) => / workspace\/list\/(?!a$|a\\n|b\b|bell)[ -~]*$/.test(line))
        .map((line) => line.replace(/ +/g, ' '));
    expect(comparable(stdout).length).toBeGreaterThan(10);
    expect(comparable(stdout)).toEqual(comparable(tar.stdout));
    expect(stdout).toMatch(/^-rws--x--x +1 2023-11-1\d \d\d:\d\d workspace\/list\/setuid$/m);
    expect(stdout).toMatch(/^lrwxrwxrwx +0 .* workspace\/list\/link -> sub\/deep$/m);
    expect(stdout).toMatch(/^drwx.* workspace\/list\/empty\/$/m);
  });
});

describe('with patterns', () => {
  const below = (prefix: string) => names.filter((name) => name === prefix || name.startsWith(`${prefix}/`));

  test('a name is that entry and all that is beneath it', async () => {
    expect(await exact(archive, 'workspace/list')).toEqual(below('workspace/list'));
    expect(await exact(archive, 'workspace/list/sub/')).toEqual(below('workspace/list/sub'));
    expect(await exact(archive, 'config.yaml')).toEqual(['config.yaml']);
  });

  test('every odd name by itself, and by nothing else', async () => {
    for (const name of ODD.filter((odd) => !/[*?]/.test(odd))) {
      const listed = await command(['lite', 'list', '--null', archive, `workspace/list/${name}`]);
      expect(listed).toEqual({ status: 0, stdout: `workspace/list/${name}\0`, stderr: '' });
    }
    expect(await exact(archive, 'workspace/list/star\\*')).toEqual(['workspace/list/star*']);
  });

  test('one that begins with a dash stands behind --', async () => {
    const odd = shelf.put(
      indexed(blocksOf({ workspace: [[directory('workspace/')]], behind: [file('--long', '')] })),
      'dash',
    );
    const { stdout, status } = await leoflow(['lite', 'list', odd, '--', '--long']);
    expect({ stdout, status }).toEqual({ stdout: '--long\n', status: 0 });
  });

  test('several, each entry once', async () => {
    const found = await exact(archive, 'workspace/**/*.py', 'workspace/list/sub', 'MANIFEST.json');
    expect(found).toEqual(names.filter((name) => found.includes(name)));
    expect(found).toContain('workspace/list/sub/deep/x.py');
    expect(new Set(found).size).toBe(found.length);
  });

  test('one that chooses nothing is told, and the status is 1; the others are listed all the same', async () => {
    const argv = ['lite', 'list', archive, 'dags/\u001b[31m', 'config.yaml', '*.nothing'];
    for (const quiet of [[], ['--quiet']]) {
      const { status, stdout, stderr } = await leoflow([...argv, ...quiet]);
      expect({ status, stdout }).toEqual({ status: 1, stdout: 'config.yaml\n' });
      expect(stderr.split('\n')).toEqual([
        "error: nothing in the archive is called 'dags/\\x1b[31m'",
        "error: nothing in the archive is called '*.nothing'",
        expect.stringMatching(/^hint: names are as list prints them/),
        '',
      ]);
    }
  });
});

describe('--json', () => {
  test('an object per entry, and the result', async () => {
    const { status, stdout } = await leoflow(['lite', 'list', '--json', archive, 'workspace/list']);
    const lines = jsonLines(stdout);
    expect(status).toBe(0);
    expect(lines[0]).toEqual({ type: 'phase', phase: 'list' });
    const entries = lines.slice(1, -1).map((line) => line.entry as Record<string, unknown>);
    expect(entries.map(({ name }) => name)).toEqual(await exact(archive, 'workspace/list'));
    expect(entries.find(({ name }) => name === 'workspace/list/setuid')).toEqual({
      name: 'workspace/list/setuid',
      kind: 'file',
      mode: 0o4711,
      mtime: 1_700_000_000,
      size: 1,
      link: null,
      member: expect.any(Number),
    });
    const bytes = entries.reduce((sum, { size }) => sum + Number(size), 0);
    expect(lines.at(-1)).toMatchObject({
      ...{ type: 'result', command: 'list', status: 0, archive, source: 'index', entries: entries.length, bytes },
      ...{ unmatched: [], size: readFileSync(archive).length },
    });
  });

  test('patterns that chose nothing are in the result', async () => {
    const { status, stdout } = await leoflow(['lite', 'list', '--json', '--quiet', archive, 'x', 'y*']);
    expect(status).toBe(1);
    expect(jsonLines(stdout)).toEqual([expect.objectContaining({ type: 'result', unmatched: ['x', 'y*'], status: 1 })]);
  });

  test('errors, too', async () => {
    const { status, stdout } = await leoflow(['lite', 'list', '--json', '/nonexistent']);
    expect(status).toBe(1);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'error', error: { code: 'INPUT_NOT_FOUND' } });
  });
});

describe('an archive without an index', () => {
  const NOTE = 'note: the archive has no index: all of it has to be read\n';

  test('of the Leoflow binary', async () => {
    const { status, stdout, stderr } = await leoflow(['lite', 'list', REFERENCE]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: NOTE });
    expect(stdout).toBe(execFileSync('tar', ['tzf', REFERENCE, '--quoting-style=literal'], { encoding: 'utf8' }));
    expect((await leoflow(['lite', 'list', '--quiet', REFERENCE])).stderr).toBe('');
  });

  test('repacked by tar, with ./ in front and in another order', async () => {
    const tree = join(install.base, 'unpacked');
    untar(archive, tree);
    const repacked = join(install.out, 'repacked.tar.gz');
    execFileSync('tar', ['czf', repacked, '--sort=name', '-C', tree, '.']);
    const { status, stdout, stderr } = await leoflow(['lite', 'list', '-0', repacked]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: NOTE });
    expect(stdout.split('\0').slice(0, -1).sort()).toEqual([...names].sort());
  });

  test('that is cut off', async () => {
    const whole = readFileSync(REFERENCE);
    const { status, stdout, stderr } = await leoflow([
      'lite',
      'list',
      '-q',
      shelf.put(whole.subarray(0, -5000), 'cut'),
    ]);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: the archive is cut off/);
  });
});

describe('where it comes from, and where it goes', () => {
  test('from standard input', async () => {
    const fd = openSync(archive, 'r');
    try {
      const { status, stdout } = await leoflow(['lite', 'list', '-0', '-'], {}, undefined, fd);
      expect({ status, same: stdout === (await listed('-0', archive)) }).toEqual({ status: 0, same: true });
    } finally {
      closeSync(fd);
    }
  });

  test('not from a terminal', async () => {
    const stdin = Object.assign(Readable.from([]), { isTTY: true });
    expect(await command(['lite', 'list', '-'], { stdin })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('would be read from the terminal'),
    });
  });

  test('to a reader that has enough: quietly, and soon', () => {
    const many = Array.from({ length: 30_000 }, (_, n) =>
      file(`workspace/${String(n).padStart(6, '0')}${'x'.repeat(60)}`, ''),
    );
    const blocks = Array.from({ length: 30 }, (_, at) => many.slice(at * 1000, (at + 1) * 1000));
    const path = shelf.put(Buffer.concat(withIndex({ workspace: [[directory('workspace/')], ...blocks] })), 'many');
    for (const flags of ['', '--long', '--json']) {
      const script = `set -o pipefail; "$0" "$1" lite list ${flags} "$2" | head -n 3 | wc -l; echo "\${PIPESTATUS[0]}"`;
      const { stdout, stderr } = spawnSync('bash', ['-c', script, process.execPath, LEOFLOW, path], {
        encoding: 'utf8',
      });
      expect({ flags, stdout, stderr }).toEqual({ flags, stdout: '3\n0\n', stderr: '' });
    }
  });

  test.each(['list', 'inspect', 'diff'])('of %s to a disk that is full: it says so', (name) => {
    // Differences are output, too.
    const other = name === 'diff' ? [REFERENCE] : [];
    const run = (script: string, ...more: string[]) => {
      const argv = [join(shelf.directory, 'output'), LEOFLOW, 'lite', name, ...more, archive, ...other];
      return spawnSync('bash', ['-c', script, process.execPath, ...argv], { encoding: 'utf8' });
    };
    for (const more of [[], ['--json']]) {
      // The latter takes the first KiB of what is written.
      for (const [script, errno] of [
        ['shift; "$0" "$@" > /dev/full', 'ENOSPC'],
        ['ulimit -f 1; file=$1; shift; "$0" "$@" > "$file"', 'EFBIG'],
      ] as const) {
        const { status, stderr } = run(script, ...more);
        expect({ name, more, status, stderr }).toEqual({
          name,
          more,
          status: 1,
          stderr: expect.stringContaining(`standard output cannot be written to: ${errno}`),
        });
      }
    }
  });
});

describe('an archive that is damaged', () => {
  const workspace = [[directory('workspace/'), file('workspace/a', 'a')], [largeFile('workspace/b', Buffer.from('b'))]];

  test('a lying index is refused', async () => {
    const lie = (right: string) => right.replace('workspace/b', 'workspace/../b');
    const path = shelf.put(Buffer.concat(withIndex({ workspace, index: lie })), 'lie');
    const { status, stderr } = await leoflow(['lite', 'list', path]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^error: the archive is damaged: line \d+ of its INDEX\.jsonl/),
    });
  });

  test('something else is no archive', async () => {
    const { status, stderr } = await leoflow(['lite', 'list', LEOFLOW]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('it is not gzip') });
  });
});

test('wrong usage', async () => {
  expect(await command(['lite', 'list'])).toMatchObject({ status: 2, stderr: expect.stringContaining('archive') });
  expect(await command(['lite', 'list', 'x', ''])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('pattern'),
  });
  expect(await command(['lite', 'list', '-0', '--json', 'x'])).toMatchObject({ status: 2 });
});
