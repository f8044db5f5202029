/** What is extracted, under which names, and how it looks then. docs/cli.md, "leoflow lite extract". */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withIndex } from '../index/support.js';
import { untar } from '../support/archive.js';
import { blocksOf, CONFIG, DUMP, directory, file, hardlink, indexed, streamed } from '../support/forge/archive.js';
import { MTIME } from '../support/forge/tar.js';
import { lendWorkers } from '../support/lent-workers.js';
import { look, type Seen } from '../support/tree.js';
import { bothWays, goodBlocks, LARGE, Place } from './support.js';

const REFERENCE = fileURLToPath(new URL('../fixtures/reference-v1.tar.gz', import.meta.url));

lendWorkers();

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place.remove());

/** Paths below the target that are new. */
function extracted(): string[] {
  return [...look(place.to).keys()].filter((path) => path !== '' && path !== 'canary').sort();
}

for (const [way, archive] of Object.entries(bothWays(goodBlocks()))) {
  describe(`of an archive as ${way}`, () => {
    test('a file of the workspace lands under its path in the workspace', async () => {
      const result = await place.extract(archive, ['dags/etl.py']);
      expect(extracted()).toEqual(['dags', 'dags/etl.py']);
      expect(readFileSync(join(place.to, 'dags/etl.py'), 'utf8')).toBe('print("etl")\n');
      expect(result).toMatchObject({ files: 1, directories: 0, links: 0, bytes: 13, checksums: true, dryRun: false });
      expect(result).toMatchObject({ to: place.to, made: [join(place.to, 'dags')], madeCount: 1, replaced: [] });
      expect(place.left()).toEqual([]);
    });

    test('named as in the archive, it lands under that name', async () => {
      await place.extract(archive, ['workspace/dags/etl.py', 'config.yaml']);
      expect(extracted()).toEqual(['config.yaml', 'workspace', 'workspace/dags', 'workspace/dags/etl.py']);
    });

    test('a directory comes with all below it: kinds, modes without setuid, times, empty directories, links', async () => {
      const result = await place.extract(archive, ['dags']);
      const all = ['etl.py', 'hello.py', 'large.bin', 'sub', 'sub/empty', 'sub/link', 'sub/x.py'];
      expect(extracted()).toEqual(['dags', ...all.map((name) => `dags/${name}`)]);
      const mode = (path: string) => (statSync(join(place.to, path)).mode & 0o7777).toString(8);
      expect(['dags', 'dags/etl.py', 'dags/large.bin', 'dags/sub', 'dags/sub/x.py'].map(mode)).toEqual([
        ...['750', '755', '640', '500', '400'],
      ]);
      for (const path of ['dags', 'dags/etl.py', 'dags/large.bin', 'dags/sub/empty', 'dags/sub/link'])
        expect({ path, mtime: Math.floor(lstatSync(join(place.to, path)).mtimeMs / 1000) }).toEqual({
          path,
          mtime: MTIME,
        });
      expect(readlinkSync(join(place.to, 'dags/sub/link'))).toBe('../etl.py');
      expect(readFileSync(join(place.to, 'dags/large.bin')).equals(LARGE)).toBe(true);
      expect(result).toMatchObject({ files: 4, directories: 3, links: 1 });
    });

    test('an empty directory, a link, a name with brackets in it', async () => {
      await place.extract(archive, ['dags/sub/empty', 'dags/sub/link', 'z[1]']);
      // The name comes first; as a pattern it means z1, too.
      expect(extracted()).toEqual(['dags', 'dags/sub', 'dags/sub/empty', 'dags/sub/link', 'z1', 'z[1]']);
    });

    test('patterns: * stays within a part, ** does not', async () => {
      await place.extract(archive, ['dags/*.py']);
      expect(extracted()).toEqual(['dags', 'dags/etl.py', 'dags/hello.py']);
      await place.extract(archive, ['**/x.py'], { to: join(place.base, 'new/deep') });
      expect([...look(join(place.base, 'new')).keys()]).toEqual([
        '',
        'deep',
        'deep/dags',
        'deep/dags/sub',
        'deep/dags/sub/x.py',
      ]);
    });

    test('all of the workspace, either way', async () => {
      await place.extract(archive, ['.'], { to: join(place.base, 'one') });
      await place.extract(archive, ['workspace/'], { to: join(place.base, 'two') });
      const [one, two] = [look(join(place.base, 'one')), look(join(place.base, 'two/workspace'))];
      for (const seen of [one, two]) seen.delete('');
      expect(one).toEqual(two);
      expect(one.size).toBe(12);
    });

    test('files beside the workspace, readable by their owner only', async () => {
      const names = ['MANIFEST.json', 'config.yaml', 'setup.json', 'datastore.sql', 'SHA256SUMS'];
      const result = await place.extract(archive, names);
      expect(extracted()).toEqual([...names].sort());
      expect(readFileSync(join(place.to, 'config.yaml'), 'utf8')).toBe(CONFIG);
      expect(readFileSync(join(place.to, 'datastore.sql'), 'utf8')).toBe(DUMP);
      for (const name of names) expect(statSync(join(place.to, name)).mode & 0o777).toBe(0o600);
      expect(result.files).toBe(5);
      expect(readFileSync(join(place.to, 'SHA256SUMS'), 'utf8')).toMatch(/^[0-9a-f]{64} {2}MANIFEST\.json\n/);
    });

    test('no wildcard takes what lies beside the workspace: there are secrets', async () => {
      await place.refuses(archive, ['*.yaml'], { code: 'ENTRY_NOT_FOUND', says: '"*.yaml"' });
    });

    test('nothing where one of the patterns has nothing', async () => {
      await place.refuses(archive, ['dags', 'nothing'], {
        ...{ code: 'ENTRY_NOT_FOUND', says: 'nothing in the archive for "nothing"', kind: 'failed' },
      });
      await place.refuses(archive, ['dags/etl'], { code: 'ENTRY_NOT_FOUND', says: '"dags/etl"' });
      await place.refuses(archive, ['a/'], { code: 'ENTRY_NOT_FOUND', says: '"a/"' });
    });

    test('a dry run reads and checks, says what would be made, and makes nothing', async () => {
      const path = place.put(archive);
      const before = place.look();
      const to = join(place.base, 'new/deep');
      const result = await place.extract(path, ['dags/sub', 'config.yaml'], { to, dryRun: true });
      expect(result).toMatchObject({ dryRun: true, files: 2, directories: 2, links: 1, to });
      expect(result.made.sort()).toEqual([join(to, 'config.yaml'), join(to, 'dags')]);
      expect(place.look()).toEqual(before);
    });
  });
}

test('paths are named in one way, and none of this machine', async () => {
  const archive = indexed(goodBlocks());
  await place.refuses(archive, ['workspace/a', 'dags'], { code: 'USAGE', says: 'all as in the archive' });
  await place.refuses(archive, ['/etc/passwd'], { code: 'USAGE', says: 'a path of this machine' });
  await place.refuses(archive, ['../outside'], { code: 'ENTRY_NOT_FOUND', says: '"../outside"' });
});

test('an archive of the Leoflow binary, which has no checksums, directories or modes', async () => {
  const notes: string[] = [];
  const onEvent = (event: { type: string; message?: string }) =>
    void (event.type === 'note' && notes.push(event.message ?? ''));
  const result = await place.extract(REFERENCE, ['etl/sub', 'etl/run.sh'], { onEvent });
  expect(extracted()).toEqual(['etl', 'etl/run.sh', 'etl/sub', 'etl/sub/data.csv']);
  expect(result).toMatchObject({ files: 2, checksums: false });
  expect(notes).toEqual([expect.stringContaining('all of it has to be read')]);
});

test('an archive repacked by tar, its entries in any order and with ./ in front', async () => {
  const path = place.put(indexed(goodBlocks()));
  const unpacked = join(place.base, 'unpacked');
  untar(path, unpacked);
  const repacked = join(place.base, 'repacked.tar.gz');
  execFileSync('tar', [
    'czf',
    repacked,
    '-C',
    unpacked,
    './workspace',
    './datastore.sql',
    './SHA256SUMS',
    './MANIFEST.json',
    './config.yaml',
    './setup.json',
  ]);
  const result = await place.extract(repacked, ['dags', 'config.yaml']);
  expect(result).toMatchObject({ files: 5, directories: 3, links: 1, checksums: true });
  const original = look(join(unpacked, 'workspace/dags'));
  original.set('etl.py', { ...original.get('etl.py'), mode: '755' } as Seen);
  expect(look(join(place.to, 'dags'))).toEqual(original);
});

describe('hard links, as tar makes them', () => {
  const blocks = blocksOf({
    workspace: [[directory('workspace/'), file('workspace/one', '1'), hardlink('workspace/two', 'workspace/one')]],
  });

  test('come along with their content', async () => {
    await place.extract(streamed(blocks), ['one', 'two']);
    expect(readFileSync(join(place.to, 'two'), 'utf8')).toBe('1');
  });

  test('and not without it', async () => {
    for (const archive of [streamed(blocks), indexed(blocks)])
      await place.refuses(archive, ['two'], { code: 'ENTRY_NO_FILE', says: 'its content stands in "workspace/one"' });
  });
});

describe('only the members that hold it are read', () => {
  const name = (n: number) => `workspace/d${String(n).padStart(3, '0')}`;
  const many = Array.from({ length: 60 }, (_, n) => [
    directory(`${name(n)}/`),
    file(`${name(n)}/noise`, randomBytes(1 << 16)),
    file(`${name(n)}/x.py`, `${n}`),
  ]);
  const workspace = [[directory('workspace/')], ...many];

  test('by path order', async () => {
    const archive = indexed(blocksOf({ workspace }));
    for (const n of [0, 1, 31, 59]) {
      const result = await place.extract(archive, [`${name(n).slice(10)}/x.py`], { to: join(place.base, `o${n}`) });
      expect(readFileSync(join(place.base, `o${n}`, name(n).slice(10), 'x.py'), 'utf8')).toBe(`${n}`);
      expect(result.bytesRead).toBeLessThan(archive.length / 8);
      expect(result.size).toBe(archive.length);
    }
  });

  test('by the index where there are wildcards, which may say what it likes', async () => {
    const archive = Buffer.concat(withIndex({ workspace }));
    const result = await place.extract(archive, ['*/x.py']);
    expect(result.files).toBe(60);
    const one = await place.extract(archive, ['*17/x.py'], { to: join(place.base, 'one') });
    expect(one).toMatchObject({ files: 1, checksums: true });
    expect(one.bytesRead).toBeLessThan(archive.length / 8);

    // It promises a name in a member that has another one.
    const lie = Buffer.concat(withIndex({ workspace, index: (right) => right.replaceAll('d017/x.py', 'd017/y.py') }));
    await place.refuses(lie, ['*17/y.py'], { code: 'ENTRY_NOT_FOUND', says: '"*17/y.py"' });
    // Who asks by the name is not led astray.
    await place.extract(lie, ['d017/x.py'], { to: join(place.base, 'two') });
  });

  test('a directory that has members of its own only', async () => {
    const archive = indexed(blocksOf({ workspace }));
    const result = await place.extract(archive, ['d030', 'd031', 'MANIFEST.json']);
    expect(result).toMatchObject({ files: 5, directories: 2 });
    expect(result.bytesRead).toBeLessThan(archive.length / 6);
  });
});

test('a target that is a link is the directory that it leads to', async () => {
  mkdirSync(join(place.base, 'real'));
  execFileSync('ln', ['-s', 'real', join(place.base, 'link')]);
  const { to } = await place.extract(indexed(goodBlocks()), ['a'], { to: join(place.base, 'link') });
  expect(to).toBe(join(place.base, 'real'));
  expect(readFileSync(join(place.base, 'real/a'), 'utf8')).toBe('the file a');
});
