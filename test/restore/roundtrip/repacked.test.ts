/** An archive of ours that has been unpacked and packed again, or only compressed again, by standard tools (docs/format.md, "Compatibility"). */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { membersOf } from '../../support/archive.js';
import { createInstall } from '../../support/install.js';
import { lendWorkers } from '../../support/lent-workers.js';
import { backup, restore } from '../../support/library.js';
import { growOddTree, look, put, type Seen } from '../../support/tree.js';

lendWorkers();

let base: string;
let ours: string;
let unpacked: string;
let tree: Map<string, Seen>;

beforeAll(async () => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'lfrp-')));
  [ours, unpacked] = [join(base, 'ours.tar.gz'), join(base, 'unpacked')];
  const install = await createInstall();
  try {
    growOddTree(install.workspace, 100);
    put(join(install.workspace, 'before 1970'), 'x');
    utimesSync(join(install.workspace, 'before 1970'), new Date(-1e12), new Date(-1e12));
    mkdirSync(join(install.workspace, 'directory before 1970'));
    utimesSync(join(install.workspace, 'directory before 1970'), new Date(-1000), new Date(-1000));
    // In another order than that of their bytes once they are escaped.
    for (const name of ['carriage\rreturn', 'carriagerreturn', 'new\nline', 'newnline'])
      put(join(install.workspace, name), name);
    // Stale: the times of what lies above.
    utimesSync(install.workspace, 1_500_000_000, 1_500_000_000);
    await backup({ home: install.home, output: ours });
    tree = without(look(install.workspace), 0o6000);
  } finally {
    await install.remove();
  }
  mkdirSync(unpacked);
  tool('tar', 'xzpf', ours, '-C', unpacked, '--no-same-owner', '--warning=no-timestamp');
});

afterAll(() => {
  if (base === undefined) return;
  if (process.getuid?.() !== 0) execFileSync('chmod', ['-R', 'u+rwX', base]);
  execFileSync('rm', ['-rf', base]);
});

const tool = (command: string, ...args: string[]) =>
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, LC_ALL: 'C.UTF-8' } });
const shell = (script: string, ...args: string[]) =>
  execFileSync('sh', ['-ec', script, 'sh', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });

/** Without the bits that no restore restores. */
function without(tree: Map<string, Seen>, bits: number): Map<string, Seen> {
  for (const seen of tree.values())
    if (seen.mode !== undefined) seen.mode = (Number.parseInt(seen.mode, 8) & ~bits).toString(8);
  return tree;
}

/** With times as bsdtar writes them into anything but PAX: eleven octal digits, no sign. */
function withinOctal(tree: Map<string, Seen>): Map<string, Seen> {
  const within = (mtime: number) => Math.min(Math.max(mtime, 0), 0o77777777777);
  return new Map([...tree].map(([path, seen]) => [path, { ...seen, mtime: within(seen.mtime) }]));
}

/** Restores into a place of its own. @returns what is there then, and what is left */
async function restored(input: string | Readable): Promise<Map<string, Seen>> {
  const user = mkdtempSync(join(base, 'user-'));
  const [home, workspace] = [join(user, '.leoflow'), join(user, 'flows')];
  await restore({ input, home, workspace, only: ['workspace', 'config'], workers: 2 });
  const seen = look(workspace);
  expect(readdirSync(user).sort()).toEqual(['.leoflow', 'flows']);
  expect(readFileSync(join(home, 'config.yaml'), 'utf8')).toContain(`workspace: ${JSON.stringify(workspace)}`);
  return seen;
}

/** Compared one by one: a difference in a thousand should be readable. */
function expectTree(seen: Map<string, Seen>, expected: Map<string, Seen>): void {
  const wrong = [...expected].filter(([path, one]) => JSON.stringify(seen.get(path)) !== JSON.stringify(one));
  expect(wrong.map(([path, one]) => ({ path, expected: one, seen: seen.get(path) }))).toEqual([]);
  expect([...seen.keys()].filter((path) => !expected.has(path))).toEqual([]);
}

const PYTHON = `
import os, random, sys, tarfile
archive, root, form, prefix = sys.argv[1:]
names = []
for directory, directories, files in os.walk(root):
    names += [os.path.relpath(os.path.join(directory, name), root) for name in directories + files]
random.Random(7).shuffle(names)
names.sort(key=lambda name: name == 'MANIFEST.json')
with tarfile.open(archive, 'w:gz', format=getattr(tarfile, form)) as tar:
    for name in names:
        tar.add(os.path.join(root, name), arcname=prefix + name, recursive=False)
`;

describe('packed again, in another order and by other rules', () => {
  const packers: Record<string, (archive: string) => unknown> = {
    'GNU tar, gnu': (archive) => tool('tar', 'czf', archive, '--format=gnu', '-C', unpacked, '.'),
    'GNU tar, posix': (archive) => tool('tar', 'czf', archive, '--format=posix', '-C', unpacked, '.'),
    'GNU tar, posix with a global header': (archive) =>
      tool(
        'tar',
        'czf',
        archive,
        '--format=posix',
        '--pax-option=globexthdr.name=x,comment=hello',
        '-C',
        unpacked,
        ...readdirSync(unpacked),
      ),
    'GNU tar, sorted by name': (archive) =>
      tool('tar', 'czf', archive, '--sort=name', '-C', unpacked, ...readdirSync(unpacked).sort()),
    'bsdtar, pax': (archive) => tool('bsdtar', 'czf', archive, '--format=pax', '-C', unpacked, '.'),
    'bsdtar, by default': (archive) =>
      tool('bsdtar', 'czf', archive, '-C', unpacked, ...readdirSync(unpacked).reverse()),
    'bsdtar, gnutar': (archive) => tool('bsdtar', 'czf', archive, '--format=gnutar', '-C', unpacked, '.'),
    'Python, PAX, shuffled, MANIFEST.json last': (archive) =>
      tool('python3', '-c', PYTHON, archive, unpacked, 'PAX_FORMAT', ''),
    'Python, GNU, shuffled, with ./': (archive) => tool('python3', '-c', PYTHON, archive, unpacked, 'GNU_FORMAT', './'),
  };
  for (const [how, pack] of Object.entries(packers)) {
    test(how, async () => {
      const archive = join(base, `${how.replaceAll(/\W+/g, '-')}.tar.gz`);
      pack(archive);
      expectTree(await restored(archive), how === 'bsdtar, gnutar' ? withinOctal(tree) : tree);
      rmSync(archive);
    });
  }

  test('without its workspace it is refused: an install would be left without one', async () => {
    const other = join(base, 'other');
    tool('cp', '-a', unpacked, other);
    shell(
      `cd "$1"; chmod -R u+rwX workspace; rm -rf workspace INDEX.jsonl; sed -i -E '/  (workspace\\/|INDEX)/d' SHA256SUMS; sed -i 's/"index"/"was-index"/' MANIFEST.json
      sed -i "s/^[0-9a-f]*  MANIFEST.json/$(sha256sum MANIFEST.json)/" SHA256SUMS`,
      other,
    );
    const archive = join(base, 'other.tar.gz');
    tool('tar', 'czf', archive, '-C', other, '.');
    await expect(restored(archive)).rejects.toMatchObject({
      code: 'ARCHIVE_DAMAGED',
      message: expect.stringContaining('there is no workspace in it'),
    });
    tool('rm', '-rf', other, archive);
  });

  test('ustar, of what it can hold: GNU tar, bsdtar and Python', async () => {
    const small = join(base, 'small');
    tool('cp', '-a', unpacked, small);
    const workspace = join(small, 'workspace');
    shell(
      'chmod -R u+rwX "$1"/long; rm -rf "$1"/long; find "$1"/links -type l -lname "$(printf "?%.0s" $(seq 101))*" -delete; rm -rf "$1"/links/lll* "$1"/times "$1"/*1970',
      workspace,
    );
    shell(
      'cd "$1"; find . -type f ! -name SHA256SUMS -print0 | sed -z "s|^./||" | xargs -0 sha256sum -- > SHA256SUMS',
      small,
    );
    utimesSync(workspace, 1_500_000_000, 1_500_000_000);
    const expected = without(look(workspace), 0o6000);
    expect(expected.size).toBeGreaterThan(500);
    const archive = join(base, 'ustar.tar.gz');
    tool('tar', 'czf', archive, '--format=ustar', '-C', small, '.');
    expectTree(await restored(archive), expected);
    tool('bsdtar', 'czf', archive, '--format=ustar', '-C', small, '.');
    expectTree(await restored(archive), expected);
    tool('python3', '-c', PYTHON, archive, small, 'USTAR_FORMAT', './');
    expectTree(await restored(archive), expected);
  });

  test('what was changed on the way is noticed', async () => {
    const changed = join(base, 'changed');
    tool('cp', '-a', unpacked, changed);
    const file = join(changed, 'workspace', 'contents', 'linked twice');
    chmodSync(file, 0o600);
    writeFileSync(file, 'another content');
    const archive = join(base, 'changed.tar.gz');
    tool('tar', 'czf', archive, '-C', changed, '.');
    await expect(restored(archive)).rejects.toMatchObject({
      code: 'CHECKSUM_MISMATCH',
      message: expect.stringContaining('"workspace/contents/linked twice" differs'),
    });
  });
});

describe('the same tar, compressed again', () => {
  const packers: Record<string, (archive: string) => unknown> = {
    gzip: (archive) => shell('gzip -dc "$1" | gzip -1 > "$2"', ours, archive),
    pigz: (archive) => shell('pigz -dc "$1" | pigz -b 128 > "$2"', ours, archive),
    'pigz, in independent blocks': (archive) => shell('pigz -dc "$1" | pigz -i > "$2"', ours, archive),
    'in members that are cut anywhere': (archive) => {
      const tar = gunzipSync(readFileSync(ours));
      const pieces: Buffer[] = [];
      for (let at = 0, step = 1; at < tar.length; at += step, step = (step * 7919) % 300_007)
        pieces.push(gzipSync(tar.subarray(at, at + step)));
      writeFileSync(archive, Buffer.concat(pieces));
    },
    'in our own members, behind one of somebody else': (archive) => {
      const [first, ...rest] = membersOf(readFileSync(ours));
      writeFileSync(archive, Buffer.concat([gzipSync(first?.block ?? ''), ...rest.map(({ raw }) => raw)]));
    },
  };
  for (const [how, pack] of Object.entries(packers)) {
    test(how, async () => {
      const archive = join(base, 'compressed.tar.gz');
      pack(archive);
      expectTree(await restored(archive), tree);
    });
  }
});

describe('as a stream', () => {
  test('of a file', async () => expectTree(await restored(createReadStream(ours)), tree));
  test('in pieces of any size', async () => {
    const bytes = readFileSync(ours);
    const pieces = (function* () {
      for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7919) % 100_003)
        yield bytes.subarray(at, at + step);
    })();
    expectTree(await restored(Readable.from(pieces)), tree);
  });
});

describe('a copy of ours that is cut off', () => {
  test('behind any of its members is refused, before anything is written', async () => {
    const bytes = readFileSync(ours);
    const members = membersOf(bytes);
    const archive = join(base, 'cut.tar.gz');
    const home = join(base, 'nowhere', '.leoflow');
    for (const { offset } of members.slice(1)) {
      writeFileSync(archive, bytes.subarray(0, offset));
      await expect(restore({ input: archive, home, only: ['workspace', 'config'], workers: 1 })).rejects.toMatchObject({
        code: 'ARCHIVE_TRUNCATED',
        message: expect.stringContaining('cut off'),
      });
    }
    expect(members.length).toBeGreaterThan(30);
    expect(readdirSync(base)).not.toContain('nowhere');
  });
});
