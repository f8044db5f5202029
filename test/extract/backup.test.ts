/** What a backup has taken of a tree with every oddity can be had without a restore, as it was. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leoflow } from '../support/cli.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { backup, extract } from '../support/library.js';
import { growOddTree, isRoot, look, type Seen } from '../support/tree.js';

let install: TestInstall;
let tree: Map<string, Seen>;

beforeAll(async () => {
  install = await createInstall();
  growOddTree(install.workspace, 3000);
  for (const [path, { mode }] of look(install.workspace)) {
    // What is dropped on purpose, and what no archive holds.
    if (path.startsWith('bytes:')) execFileSync('rm', ['-rf', '--', join(install.workspace, path)]);
    if (mode !== undefined) chmodSync(join(install.workspace, path), Number.parseInt(mode, 8) & ~0o6000);
  }
  tree = look(install.workspace);
  await backup({ home: install.home, output: install.archive });
});
afterAll(() => install?.remove());

/** What of the tree is at or below a path, by names from there. */
function part(path: string): Map<string, Seen> {
  return new Map(
    [...tree]
      .filter(([name]) => name === path || name.startsWith(`${path}/`))
      .map(([name, seen]) => [name.slice(path.length + 1), seen]),
  );
}

test.each([1, 3])('all of it, with %i workers', async (workers) => {
  const to = join(install.base, `all-${workers}`);
  const result = await extract({ archive: install.archive, patterns: ['workspace'], to, workers });
  expect(look(join(to, 'workspace'))).toEqual(tree);
  expect(result).toMatchObject({ checksums: true, made: [join(to, 'workspace')] });
});

test.each(['files', 'empty directories', 'links', 'modes', 'times', 'long', 'contents'])('only %s', async (path) => {
  const to = join(install.base, `only-${path}`);
  const result = await extract({ archive: install.archive, patterns: [path], to });
  const found = look(join(to, path));
  expect(found).toEqual(part(path));
  if (path !== 'contents') expect(result.bytesRead).toBeLessThan(result.size / 2);
});

test('one file, printed', async () => {
  const { status, stdout } = await leoflow(['lite', 'cat', install.archive, 'workspace/contents/random/3145745']);
  expect({ status, equal: stdout.equals(readFileSync(join(install.workspace, 'contents/random/3145745'))) }).toEqual({
    status: 0,
    equal: true,
  });
});

if (isRoot)
  test('run by root, it belongs to whom the target belongs', async () => {
    const to = join(install.base, 'of-another');
    mkdirSync(to);
    chownSync(to, 12345, 23456);
    await extract({ archive: install.archive, patterns: ['links', 'flat/1.txt', 'config.yaml'], to });
    for (const path of ['links', 'links/file', 'links/absolute', 'flat', 'flat/1.txt', 'config.yaml']) {
      const { uid, gid } = lstatSync(join(to, path));
      expect({ path, uid, gid }).toEqual({ path, uid: 12345, gid: 23456 });
    }
  });
