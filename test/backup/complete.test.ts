/** Everything that belongs into the archive is in it, as it is on disk. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BackupResult } from '../../src/index.js';
import { checkSums, entriesOf, type Member, membersOf, readArchive, type TarEntry, untar } from '../support/archive.js';
import { lastJson, leoflow, underModes } from '../support/cli.js';
import { told } from '../support/failures.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { backup, verify } from '../support/library.js';
import { type Cluster, startCluster } from '../support/postgres.js';
import {
  growExcluded,
  growOddTree,
  growSpecials,
  latin1,
  look,
  MADE_AGAIN,
  MIB,
  put,
  type Seen,
  VERSION_CONTROL,
} from '../support/tree.js';

let install: TestInstall;

beforeAll(async () => {
  install = await createInstall();
});
afterAll(() => install?.remove());

/** What is in the tree and not in the archive: a built-in rule says so. */
function isLeftOut(path: string, seen: Seen): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return VERSION_CONTROL.includes(name) || (seen.kind === 'directory' && MADE_AGAIN.includes(name));
}

describe('a tree with every oddity', () => {
  let result: BackupResult;
  let unpacked: string;
  let tree: Map<string, Seen>;
  let copy: Map<string, Seen>;
  let archive: Buffer;
  let members: Member[];
  let entries: TarEntry[];

  beforeAll(async () => {
    growOddTree(install.workspace, 10_000);
    growExcluded(install.workspace);
    tree = look(install.workspace);
    result = await backup({ home: install.home, output: install.archive, workers: 2 });
    unpacked = join(install.base, 'unpacked');
    untar(install.archive, unpacked);
    copy = look(join(unpacked, 'workspace'));
    archive = readFileSync(install.archive);
    members = membersOf(archive);
    entries = entriesOf(Buffer.concat(members.map(({ block }) => block)));
  });

  test('comes out of plain tar as it was: kinds, contents, link targets, modes, times', () => {
    const excluded = [...tree].filter(([path, seen]) => isLeftOut(path, seen)).map(([path]) => path);
    const expected = new Map(
      [...tree].filter(([path]) => !excluded.some((root) => path === root || path.startsWith(`${root}/`))),
    );
    // Compared one by one: a difference in ten thousand should be readable.
    const wrong = [...expected].filter(([path, seen]) => JSON.stringify(copy.get(path)) !== JSON.stringify(seen));
    expect(wrong.map(([path, seen]) => ({ path, seen, copy: copy.get(path) }))).toEqual([]);
    expect([...copy.keys()].filter((path) => !expected.has(path))).toEqual([]);
    expect(excluded).toHaveLength(2 * (MADE_AGAIN.length + VERSION_CONTROL.length) + 2);
    expect(expected.size).toBeGreaterThan(10_900);
  });

  test('diff finds nothing but what the built-in rules leave out', () => {
    const { status, stdout } = spawnSync(
      'diff',
      ['-r', '--no-dereference', install.workspace, join(unpacked, 'workspace')],
      { encoding: 'latin1', env: { PATH: process.env.PATH, LC_ALL: 'C' }, maxBuffer: 1 << 26 },
    );
    expect(status).toBe(1);
    const only = [...MADE_AGAIN, ...VERSION_CONTROL].flatMap((name) => [
      `Only in ${install.workspace}: ${name}`,
      `Only in ${install.workspace}/excluded/below: ${name}`,
    ]);
    only.push(`Only in ${install.workspace}/excluded/submodule: .git`, `Only in ${install.workspace}/excluded: .svn`);
    expect(stdout.trimEnd().split('\n').sort()).toEqual(only.sort());
  });

  test('sha256sum -c SHA256SUMS proves every file of the copy', () => {
    const files = entries.filter(({ type }) => type === '0').length;
    expect(checkSums(unpacked)).toBe(files - 1);
  });

  test('SHA256SUMS is what sha256sum itself writes', () => {
    const names = entries.filter(({ type, name }) => type === '0' && name !== 'SHA256SUMS').map(({ name }) => name);
    const listed = readFileSync(join(unpacked, 'SHA256SUMS'), 'utf8');
    const written = execFileSync('xargs', ['-0', 'sha256sum', '--'], {
      cwd: unpacked,
      input: names.join('\0'),
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    // In another order: the dump was checksummed when it ended.
    expect(listed.split('\n').sort()).toEqual(written.split('\n').sort());
  });

  test('the entries stand in path order, the manifest first, the checksums last', () => {
    const names = entries.map(({ name }) => name);
    expect(names.slice(0, 4)).toEqual(['MANIFEST.json', 'config.yaml', 'setup.json', 'workspace/']);
    expect(names.slice(-3)).toEqual(['datastore.sql', 'INDEX.jsonl', 'SHA256SUMS']);
    const paths = names.slice(3, -3);
    expect(paths.every((path) => path.startsWith('workspace/'))).toBe(true);
    // Component by component, by bytes: with the slash as the lowest byte that is one comparison.
    const keys = paths.map((path) => Buffer.from(path.replaceAll('/', '\0')));
    const misplaced = paths.filter(
      (_, at) => at > 0 && Buffer.compare(keys[at - 1] as Buffer, keys[at] as Buffer) >= 0,
    );
    expect(misplaced).toEqual([]);
  });

  test('nobody owns the entries, and only the five names, the index and the checksums stand beside the workspace', () => {
    expect(entries.filter(({ uid, gid, owner }) => uid !== 0 || gid !== 0 || owner !== '')).toEqual([]);
    const outside = entries.filter(({ name }) => !name.startsWith('workspace/'));
    expect(outside.map(({ name, type, mode }) => `${name} ${type} ${mode.toString(8)}`)).toEqual([
      'MANIFEST.json 0 600',
      'config.yaml 0 600',
      'setup.json 0 644',
      'datastore.sql 0 600',
      'INDEX.jsonl 0 600',
      'SHA256SUMS 0 600',
    ]);
  });

  test("config.yaml and setup.json are the install's own bytes, with their times", () => {
    for (const name of ['config.yaml', 'setup.json']) {
      expect(readFileSync(join(unpacked, name))).toEqual(readFileSync(join(install.home, name)));
      const { mtimeMs } = statSync(join(install.home, name));
      expect(entries.find((entry) => entry.name === name)?.mtime).toBe(Math.floor(mtimeMs / 1000));
    }
  });

  test('the archive is private', () => {
    expect((statSync(install.archive).mode & 0o777).toString(8)).toBe('600');
    expect(install.left()).toEqual(['snap.tar.gz']);
  });

  test('every member is a block that stands for itself', () => {
    const at = new Map(entries.map((entry) => [entry.offset, entry]));
    const end = members.reduce((sum, { block }) => sum + block.length, 0) - 1024;
    let offset = 0;
    // Bytes of the large file that the next members continue.
    let open = 0;
    for (const { kind, block } of members) {
      expect(block.length).toBeLessThanOrEqual(4 * MIB);
      if (kind === 'C') {
        open -= block.length;
      } else {
        expect(open).toBe(0);
        expect(at.has(offset) || offset === end).toBe(true);
      }
      const entry = at.get(offset);
      if (kind === 'F') open = padded((entry?.contentOffset ?? 0) + (entry?.size ?? 0) - offset) - block.length;
      expect(open).toBeGreaterThanOrEqual(0);
      offset += block.length;
    }
    expect(open).toBe(0);
    expect(members.at(-1)?.block.equals(Buffer.alloc(1024))).toBe(true);
    // The dump, the index, the checksums, and what is over 1 MiB.
    const split = entries.filter(({ name, size }) => name.startsWith('workspace/') && size > MIB).length + 3;
    expect(members.filter(({ kind }) => kind === 'F')).toHaveLength(split);
  });

  test('the result counts what is in it', () => {
    const of = (type: string) => entries.filter((entry) => entry.type === type && entry.name.startsWith('workspace/'));
    expect(result).toMatchObject({
      path: install.archive,
      size: archive.length,
      incomplete: false,
      warningCount: 0,
      workspace: {
        files: of('0').length,
        directories: of('5').length,
        symlinks: of('2').length,
        bytes: of('0').reduce((sum, { size }) => sum + size, 0),
      },
    });
    expect(result.leftOut).toHaveLength(MADE_AGAIN.length + VERSION_CONTROL.length);
    expect(result.leftOut).toContainEqual({ rule: '.git', directories: 2, files: 1 });
    expect(result.leftOut).toContainEqual({ rule: '.svn', directories: 2, files: 1 });
    expect(result.leftOut).toContainEqual({ rule: 'venv', directories: 2, files: 0 });
  });

  test('the manifest says what made it, and of what', () => {
    const manifest: unknown = JSON.parse(readFileSync(join(unpacked, 'MANIFEST.json'), 'utf8'));
    expect(manifest).toEqual(result.manifest);
    expect(manifest).toMatchObject({
      manifest_version: 1,
      schema_version: 15,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      postgres_version: expect.stringMatching(/^postgres \(PostgreSQL\) \d/),
      writer: expect.stringMatching(/^leoflow-snapshot \d/),
      source: { home: install.home, workspace: install.workspace },
      datastore: { database: 'leoflow_dev' },
      checksums: 'SHA256SUMS',
      index: 'INDEX.jsonl',
    });
  });
});

const padded = (bytes: number) => Math.ceil(bytes / 512) * 512;

/** Backs up a workspace that `grow` has filled. */
async function backUp(grow: (workspace: string) => void) {
  const { home, workspace, dsn } = install.another();
  grow(workspace);
  const output = join(install.base, `${basename(workspace)}.tar.gz`);
  const result = await backup({ home, dsn, output, workers: 2 });
  const entries = readArchive(output).filter(({ name }) => name.startsWith('workspace/'));
  return { result, workspace, output, names: entries.map(({ name }) => name.slice('workspace/'.length)), entries };
}

test('an empty workspace is archived as one', async () => {
  const { result, names } = await backUp(() => {});
  expect(names).toEqual(['']);
  expect(result.workspace).toMatchObject({ files: 0, directories: 1, symlinks: 0, bytes: 0 });
});

test('the workspace itself keeps its mode and time, whatever it is called', async () => {
  const { entries } = await backUp((workspace) => {
    put(join(workspace, 'x'));
    chmodSync(workspace, 0o1770);
    utimesSync(workspace, 1_234_567_890, 1_234_567_890);
  });
  expect(entries[0]).toMatchObject({ name: 'workspace/', type: '5', mode: 0o1770, mtime: 1_234_567_890 });
});

test('times that no 64 bits of nanoseconds hold', async () => {
  const far = Date.UTC(2400, 0) / 1000;
  const { entries, workspace } = await backUp((workspace) => {
    for (const time of [far, -far]) {
      put(join(workspace, `file ${time}`));
      utimesSync(join(workspace, `file ${time}`), time, time);
      mkdirSync(join(workspace, `directory ${time}`));
      utimesSync(join(workspace, `directory ${time}`), time, time);
    }
  });
  // The file system may not hold them either; then it holds something else.
  for (const [path, { mtime }] of look(workspace)) {
    const entry = entries.find(
      ({ name }) => name.replace(/\/$/, '') === (path === '' ? 'workspace' : `workspace/${path}`),
    );
    expect({ path, mtime: entry?.mtime }).toEqual({ path, mtime });
  }
});

test('sockets and FIFOs are skipped with a warning that does not count as missing', async () => {
  const { result, names, workspace } = await backUp((workspace) => {
    growSpecials(workspace);
    put(join(workspace, 'file'));
  });
  expect(names).toEqual(['', 'file']);
  expect(result.incomplete).toBe(false);
  expect(result.warnings).toEqual([
    { code: 'special-file', path: join(workspace, 'a fifo'), message: 'a FIFO is not archived', incomplete: false },
    { code: 'special-file', path: join(workspace, 'a socket'), message: 'a socket is not archived', incomplete: false },
  ]);
});

test('incompressible data costs a copy and no more', async () => {
  const { output, result } = await backUp((workspace) => {
    put(join(workspace, 'large'), randomBytes(20 * MIB));
    for (let i = 0; i < 20; i += 1) put(join(workspace, `small ${i}`), randomBytes(MIB / 2));
  });
  expect(statSync(output).size).toBeLessThan(1.001 * result.workspace.bytes + result.datastore.bytes);
  // In stored blocks: the first byte of deflate says so.
  const stored = membersOf(readFileSync(output)).filter(
    ({ raw, block }) => block.length > MIB / 2 && ((raw[33] ?? 9) & 6) === 0,
  );
  expect(stored.length).toBeGreaterThanOrEqual(25);
});

describe('a directory that is listed oddly', () => {
  const hook = new URL('../support/odd-listing.mjs', import.meta.url).href;
  let odd: ReturnType<TestInstall['another']>;
  const backUp = (output: string, more = 0) =>
    leoflow(['lite', 'backup', '-q', '--home', odd.home, '--dsn', odd.dsn, '-o', output], {
      env: { NODE_OPTIONS: `--import=${hook}`, ODD_LISTING: join(odd.workspace, 'odd'), ODD_NAMES: String(more) },
    });
  beforeEach(() => {
    odd = install.another();
    put(join(odd.workspace, 'odd', 'inside', 'file'), 'x');
  });

  // More than 4,096 are scanned in pages.
  test.each([3, 5000])('with each of %d names twice: each is archived once', async (count) => {
    for (let n = 0; n < count; n += 1) put(join(odd.workspace, 'odd', `${n}.py`));
    const output = join(install.out, `twice-${count}.tar.gz`);
    expect(await backUp(output)).toMatchObject({ status: 0, stderr: '' });
    const names = readArchive(output).map(({ name }) => name);
    expect(names.filter((name) => name.startsWith('workspace/odd/'))).toHaveLength(1 + 2 + count);
    const { verdicts } = await verify({ archives: [output], workers: 2 });
    expect(verdicts).toMatchObject([{ verdict: 'good' }]);
  });

  test('with more names than the memory holds: that is told', async () => {
    const ended = await backUp(join(install.out, 'many.tar.gz'), 10_000_000);
    expect(told(ended)).toMatchObject({
      status: 1,
      error: 'a worker needs more memory than the 256 MiB that it may use',
      hint: 'where a directory has millions of names, spread them over several, or leave it out with --exclude',
    });
    expect(install.left()).not.toContain('many.tar.gz');
  });
});

test('a name that the system takes, and no restore does, is left out and told', async () => {
  const { home, workspace, dsn } = install.another();
  put(join(workspace, 'long'), 'x');
  put(join(workspace, 'other'), 'x');
  const [output, name] = [join(install.out, 'long-name.tar.gz'), '名'.repeat(86)];
  const hook = new URL('../support/long-name.mjs', import.meta.url).href;
  const { status, stdout } = await leoflow(['lite', 'backup', '--json', '--home', home, '--dsn', dsn, '-o', output], {
    env: { NODE_OPTIONS: `--import=${hook}`, LONG_NAME: name },
  });
  const message = 'its name has more than 255 bytes, which no restore takes, it is left out';
  expect(lastJson(stdout.toString())).toMatchObject({
    warnings: [{ code: 'unreadable', path: join(workspace, name), message, incomplete: true }],
  });
  expect(status).toBe(3);
  expect((await verify({ archives: [output], workers: 2 })).verdicts).toMatchObject([
    { verdict: 'good', incomplete: 1 },
  ]);
});

describe('what cannot go in is reported, and the status is 3', () => {
  /** Runs the command on a workspace, under file modes, and expects an archive that lacks something. */
  async function incomplete(grow: (workspace: string) => void) {
    const { home, workspace } = install.another();
    grow(workspace);
    const output = join(install.base, `${basename(workspace)}.tar.gz`);
    const argv = ['lite', 'backup', '--home', home, '--dsn', tcp.tcpUrl, '-o', output, '--json'];
    const { status, stdout, stderr } = await leoflow(argv, { under: underModes });
    expect({ status, stderr }).toEqual({ status: 3, stderr: '' });
    const { incomplete, warnings } = lastJson(stdout.toString()) as unknown as BackupResult;
    expect(incomplete).toBe(true);
    const names = readArchive(output).flatMap(({ name }) => (name.startsWith('workspace/') ? [name.slice(10)] : []));
    const unpacked = join(install.base, `${basename(workspace)}-unpacked`);
    untar(output, unpacked);
    checkSums(unpacked);
    return { workspace, names, warnings };
  }

  // Over TCP: without the rights of root we cannot pass through the home of somebody else's cluster.
  let tcp: Cluster;
  beforeAll(async () => {
    tcp = await startCluster({ port: 0 });
  });
  afterAll(() => tcp?.stop());

  test('names that are not UTF-8: files, directories, links', async () => {
    const { workspace, names, warnings } = await incomplete((workspace) => {
      put(join(workspace, 'sub', 'fine'));
      writeFileSync(latin1(join(workspace, 'sub'), 'caf\xe9'), 'x');
      mkdirSync(latin1(workspace, 'd\xe9j\xe0 vu'));
      writeFileSync(Buffer.concat([latin1(workspace, 'd\xe9j\xe0 vu'), Buffer.from('/inside')]), 'x');
      symlinkSync('sub', latin1(join(workspace, 'sub'), '\xff\xfe'));
      // A surrogate in UTF-8's clothes, and a character cut short.
      writeFileSync(latin1(workspace, '\xed\xa0\x80'), 'x');
      writeFileSync(latin1(workspace, 'cut \xe6\x97'), 'x');
      put(join(workspace, '\ufffd is a character'));
    });
    expect(names).toEqual(['', 'sub/', 'sub/fine', '\ufffd is a character']);
    const message = 'its name is not UTF-8, it is left out';
    expect(warnings.sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual(
      ['\\xed\\xa0\\x80', 'cut \\xe6\\x97', 'd\\xe9j\\xe0 vu', 'sub/\\xff\\xfe', 'sub/caf\\xe9'].map((name) => ({
        code: 'not-utf8',
        path: join(workspace, name),
        message,
        incomplete: true,
      })),
    );
  });

  test('a link whose target is not UTF-8', async () => {
    const { workspace, names, warnings } = await incomplete((workspace) => {
      symlinkSync(Buffer.from('caf\xe9', 'latin1'), join(workspace, 'link'));
    });
    expect(names).toEqual(['']);
    expect(warnings).toEqual([
      {
        code: 'not-utf8',
        path: join(workspace, 'link'),
        message: 'the target of the link is not UTF-8, it is left out',
        incomplete: true,
      },
    ]);
  });

  test('files and directories that may not be read', async () => {
    const { workspace, names, warnings } = await incomplete((workspace) => {
      put(join(workspace, 'closed', 'inside'));
      put(join(workspace, 'listed only', 'inside'));
      put(join(workspace, 'secret'), 'x');
      put(join(workspace, 'secret and large'), Buffer.alloc(2 * MIB));
      put(join(workspace, 'zzz'), 'x');
      chmodSync(join(workspace, 'closed'), 0o000);
      chmodSync(join(workspace, 'listed only'), 0o400);
      chmodSync(join(workspace, 'secret'), 0o200);
      chmodSync(join(workspace, 'secret and large'), 0o000);
    });
    expect(names).toEqual(['', 'closed/', 'listed only/', 'zzz']);
    const message = 'it cannot be read: permission denied';
    expect(warnings.sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual(
      ['closed', 'listed only/inside', 'secret', 'secret and large'].map((name) => ({
        code: 'unreadable',
        path: join(workspace, name),
        message,
        incomplete: true,
      })),
    );
  });

  test('but not what a rule leaves out, which need not be read', async () => {
    const { home, workspace } = install.another();
    put(join(workspace, 'listed only', 'venv', 'inside'));
    put(join(workspace, 'listed only', 'a.log'));
    chmodSync(join(workspace, 'listed only'), 0o400);
    const output = join(install.base, 'need-not.tar.gz');
    const argv = ['lite', 'backup', '--home', home, '--dsn', tcp.tcpUrl, '-o', output, '--json', '--exclude', '*.log'];
    const { status, stdout } = await leoflow(argv, { under: underModes });
    chmodSync(join(workspace, 'listed only'), 0o755);
    expect(status).toBe(0);
    expect(lastJson(stdout.toString())).toMatchObject({ warnings: [], incomplete: false });
  });

  test('a file that may not be looked at, and is called as a directory that is left out', async () => {
    const { workspace, names, warnings } = await incomplete((workspace) => {
      put(join(workspace, 'listed only', 'node_modules', 'inside'));
      put(join(workspace, 'listed only', 'venv'));
      chmodSync(join(workspace, 'listed only'), 0o400);
    });
    expect(names).toEqual(['', 'listed only/']);
    expect(warnings.map(({ code, path }) => ({ code, path }))).toEqual([
      { code: 'unreadable', path: join(workspace, 'listed only', 'venv') },
    ]);
  });

  test('a .leoflowignore that may not be read', async () => {
    const { workspace, names, warnings } = await incomplete((workspace) => {
      put(join(workspace, '.leoflowignore'), 'x\n');
      put(join(workspace, 'x'));
      chmodSync(join(workspace, '.leoflowignore'), 0);
    });
    expect(names).toEqual(['', 'x']);
    expect(warnings.map(({ code, path }) => ({ code, path }))).toEqual([
      { code: 'unreadable', path: join(workspace, '.leoflowignore') },
    ]);
  });

  test('paths that are longer than the system lets anybody name', async () => {
    const { workspace, names, warnings } = await incomplete((workspace) => {
      // Made step by step: no path in it is long.
      const script = 'for i in $(seq 20); do mkdir "$1" && cd -P "$1" || exit 1; done; echo x > end';
      execFileSync('bash', ['-c', script, 'bash', 'd'.repeat(250)], { cwd: workspace });
    });
    expect(names.length).toBeGreaterThan(15);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ code: 'unreadable', message: 'it cannot be read: name too long' });
    expect(warnings[0]?.path.startsWith(`${workspace}/ddd`)).toBe(true);
  });
});
