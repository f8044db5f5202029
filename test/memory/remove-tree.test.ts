import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTree } from '../../src/engine/archive/index.js';

const FILES = 50_000;

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'remove-'));
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

function makeTree(files: number): string {
  const tree = join(base, 'tree');
  for (let n = 0; n < files; n += 1) {
    const directory = join(tree, String(Math.floor(n / 100)));
    if (n % 100 === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `a file with a name of some length, number ${n}`), '');
  }
  return tree;
}

/** Runs it in a process of its own. @returns by how much memory grew meanwhile, at most, in MiB */
function growthOf(tree: string, environment: NodeJS.ProcessEnv): number {
  const built = new URL('../../dist/engine/archive/remove-tree.js', import.meta.url).href;
  const script = `
    import { removeTree } from ${JSON.stringify(built)};
    const before = process.resourceUsage().maxRSS;
    await removeTree(process.argv[1]);
    console.log((process.resourceUsage().maxRSS - before) / 1024);
  `;
  const options = { env: environment, encoding: 'utf8' } as const;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script, tree], options));
}

test('memory does not grow with the tree that is removed', () => {
  const tree = makeTree(FILES);
  // Were it left to Node.js, it would be more than a hundred.
  expect(growthOf(tree, process.env)).toBeLessThan(32);
  expect(existsSync(tree)).toBe(false);
});

test('where there is no rm, it is removed all the same', () => {
  const tree = makeTree(10);
  growthOf(tree, { ...process.env, PATH: join(base, 'nothing') });
  expect(existsSync(tree)).toBe(false);
});

test('directories that may not be written are no obstacle, and what links point to stays', async () => {
  const tree = makeTree(10);
  const other = join(base, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'kept'), '');
  symlinkSync(other, join(tree, 'link'));
  chmodSync(join(tree, '0'), 0o000);
  chmodSync(tree, 0o555);
  await removeTree(tree);
  expect(existsSync(tree)).toBe(false);
  expect(existsSync(join(other, 'kept'))).toBe(true);
});

test('what is not there is removed already; a name with a dash in front is a name', async () => {
  await removeTree(join(base, 'nowhere'));
  const before = process.cwd();
  process.chdir(base);
  try {
    writeFileSync('-rf', '');
    await removeTree('-rf');
    expect(existsSync(join(base, '-rf'))).toBe(false);
  } finally {
    process.chdir(before);
  }
});

test('what is in the way is named', async () => {
  await expect(removeTree(join(base, 'n'.repeat(300)))).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
});
