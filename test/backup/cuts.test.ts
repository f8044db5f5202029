/** Where one block of the workspace ends and the next one begins: as docs/format.md says ("What we write where"), recomputed from its words alone. */
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { entriesOf, membersOf, type TarEntry } from '../support/archive.js';
import { backup } from '../support/cli.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { MIB, put } from '../support/tree.js';

let install: TestInstall;

beforeAll(async () => {
  install = await createInstall();
});
afterAll(() => install?.remove());

const records = (bytes: number) => Math.ceil(bytes / 512) * 512;

/** What an entry counts for. */
function countOf({ name, type, size, linkname }: TarEntry): number {
  const path = name.slice('workspace/'.length).replace(/\/$/, '');
  const [pathBytes, targetBytes] = [Buffer.byteLength(path), Buffer.byteLength(linkname)];
  const isPlain = pathBytes <= 88 && pathBytes === path.length && targetBytes <= 100;
  const header = isPlain ? 512 : 1024 + records(pathBytes + (type === '2' ? targetBytes : 0) + 100);
  return header + records(size);
}

/** The blocks that these entries should be in, by the names of the entries in each. */
function expectedBlocks(entries: readonly TarEntry[]): string[][] {
  const blocks: string[][] = [];
  let sum = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const isAlone = entry.size > MIB;
    if (isAlone || sum + countOf(entry) > MIB + 512) {
      blocks.push([]);
      sum = 0;
    }
    blocks.at(-1)?.push(entry.name);
    sum = isAlone ? Number.POSITIVE_INFINITY : sum + countOf(entry);
  }
  return blocks;
}

test('they fall where the names, the targets and the sizes say', async () => {
  const { workspace } = install;
  const sizes = [0, 1, 511, 512, 513, 3000, 40_000, MIB - 512, MIB - 1, MIB, MIB + 1];
  for (let n = 0; n < 600; n += 1) {
    const number = String(n).padStart(4, '0');
    // Around the longest name without PAX records, in ASCII and beyond; `ascii/` and `beyond/` count, too.
    put(join(workspace, 'ascii', `${'x'.repeat(74 + (n % 12))}${number}`), Buffer.alloc((n % 7) * 300));
    put(join(workspace, 'beyond', `${'é'.repeat(1 + (n % 100))}${number}`));
    symlinkSync('t'.repeat(95 + (n % 12)), join(workspace, 'ascii', `link ${number}`));
    symlinkSync('日'.repeat(30 + (n % 8)), join(workspace, 'beyond', `link ${number}`));
    put(join(workspace, 'long', `${'n'.repeat(n % 250)}${number}`));
  }
  for (const [n, size] of [...sizes, ...sizes.toReversed()].entries()) {
    put(join(workspace, 'sizes', String(n)), Buffer.alloc(size, 'x'));
    put(
      join(workspace, 'sizes', `${n} with a name that takes a PAX record ${'é'.repeat(30)}`),
      Buffer.alloc(size, 'x'),
    );
  }
  await backup({ home: install.home, output: install.archive });

  const members = membersOf(readFileSync(install.archive));
  const entries = entriesOf(Buffer.concat(members.map(({ block }) => block)));
  const blocks: string[][] = [];
  let start = 0;
  for (const { kind, block } of members) {
    const here = entries.filter(({ offset }) => offset >= start && offset < start + block.length);
    start += block.length;
    const names = here.map(({ name }) => name).filter((name) => name.startsWith('workspace/'));
    if (names.length > 0) expect({ names, kind }).toEqual({ names, kind: names.length > 1 ? 'E' : kind });
    if (names.length > 0) blocks.push(names);
  }
  const expected = expectedBlocks(entries.filter(({ name }) => name.startsWith('workspace/')));
  expect(expected.length).toBeGreaterThan(20);
  // By the first names, which can be read; then all of them.
  expect(blocks.map(([first]) => first)).toEqual(expected.map(([first]) => first));
  expect(blocks).toEqual(expected);
});
