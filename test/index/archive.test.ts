/** INDEX.jsonl says what tar finds in an archive, and where: read by docs/format.md alone. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupResult } from '../../src/index.js';
import { checkSums, entriesOf, type Member, membersOf, type TarEntry, untar } from '../support/archive.js';
import { createInstall, type TestInstall } from '../support/install.js';
import { backup, verify } from '../support/library.js';
import { growExcluded, growOddTree, MIB, put } from '../support/tree.js';

let install: TestInstall;
let result: BackupResult;
let members: Member[];
let entries: TarEntry[];
let lines: Record<string, unknown>[];

beforeAll(async () => {
  install = await createInstall();
  growOddTree(install.workspace, 3_000);
  growExcluded(install.workspace);
  for (const size of [MIB, MIB + 1, 3 * MIB]) put(join(install.workspace, 'large', String(size)), randomBytes(size));
  result = await backup({ home: install.home, output: install.archive, workers: 2, exclude: ['large/skip*'] });
  members = membersOf(readFileSync(install.archive));
  entries = entriesOf(Buffer.concat(members.map(({ block }) => block)));
  lines = indexOf(entries);
});
afterAll(() => install?.remove());

function indexOf(all: TarEntry[]): Record<string, unknown>[] {
  const text = all.find(({ name }) => name === 'INDEX.jsonl')?.content.toString() ?? '';
  expect(text.endsWith('\n')).toBe(true);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('the index of an archive', () => {
  test('stands between the dump and the checksums, and is promised', () => {
    expect(entries.slice(-3).map(({ name, mode }) => [name, mode])).toEqual([
      ['datastore.sql', 0o600],
      ['INDEX.jsonl', 0o600],
      ['SHA256SUMS', 0o600],
    ]);
    expect(result.manifest.index).toBe('INDEX.jsonl');
  });

  test('has a line for every entry before it, with what its header says', () => {
    const kinds: Record<string, string> = { 0: 'f', 2: 'l', 5: 'd' };
    const expected = entries.slice(0, -2).map(({ name, type, mode, mtime, size, linkname }) => ({
      n: name,
      k: kinds[type],
      m: mode,
      t: mtime,
      ...(type === '0' && { s: size }),
      ...(type === '2' && { l: linkname }),
    }));
    const found = lines.filter(({ n }) => n !== undefined);
    expect(found.length).toBe(expected.length);
    // One by one: a difference in thousands should be readable.
    for (const [at, entry] of expected.entries()) expect(found[at]).toEqual(entry);
  });

  test('says where the member begins that each of them begins in', () => {
    let start = 0;
    const expected: Record<string, unknown>[] = [];
    const begun = entries.slice(0, -2);
    for (const { offset, block, kind } of members) {
      const here = begun.filter((entry) => entry.offset >= start && entry.offset < start + block.length);
      if (kind !== 'C' && here.length > 0) expected.push({ at: offset }, ...here.map(({ name }) => ({ n: name })));
      start += block.length;
    }
    const found = lines.filter(({ out }) => out === undefined).map(({ at, n }) => (at === undefined ? { n } : { at }));
    expect(found.length).toBe(expected.length);
    expect(found.filter(({ at }) => at !== undefined)).toEqual(expected.filter(({ at }) => at !== undefined));
    expect(JSON.stringify(found)).toBe(JSON.stringify(expected));
  });

  test('ends with what was left out, as the backup counted it', () => {
    expect(result.leftOut.length).toBeGreaterThan(3);
    const tail = lines.slice(-result.leftOut.length);
    expect(tail.map(({ out, d, f }) => ({ rule: out, directories: d, files: f }))).toEqual(result.leftOut);
  });

  test('is listed in SHA256SUMS, last', () => {
    const unpacked = join(install.base, 'unpacked');
    untar(install.archive, unpacked);
    expect(checkSums(unpacked)).toBe(entries.filter(({ type }) => type === '0').length - 1);
    expect(readFileSync(join(unpacked, 'SHA256SUMS'), 'utf8').trimEnd().split('\n').at(-1)).toMatch(
      / {2}INDEX\.jsonl$/,
    );
  });

  test('is the same whatever the number of workers, but for where its archive differs', async () => {
    const output = join(install.out, 'again.tar.gz');
    await backup({ home: install.home, output, workers: 5, exclude: ['large/skip*'] });
    const again = indexOf(entriesOf(Buffer.concat(membersOf(readFileSync(output)).map(({ block }) => block))));
    // The manifest has the time in it, and what it deflates to moves all that follows.
    const settled = (all: Record<string, unknown>[]) => {
      const base = Number(all.filter(({ at }) => at !== undefined)[1]?.at);
      return all
        .filter(({ n }) => !['MANIFEST.json', 'datastore.sql'].includes(String(n)))
        .map((line) => (line.at === undefined || line.at === 0 ? line : { at: Number(line.at) - base }));
    };
    expect(JSON.stringify(settled(again)) === JSON.stringify(settled(lines))).toBe(true);
  });

  test('a changed bit in it is found, and it is named', async () => {
    const bytes = readFileSync(install.archive);
    const at = members.findIndex(({ block }) => block.toString('latin1', 0, 12) === 'INDEX.jsonl\0');
    const { offset, raw } = members[at + 1] as Member;
    const middle = offset + (raw.length >> 1);
    bytes[middle] = (bytes[middle] as number) ^ 0x10;
    const path = join(install.out, 'flipped.tar.gz');
    put(path, bytes);
    const { verdicts } = await verify({ archives: [path], workers: 2 });
    expect(verdicts[0]).toMatchObject({ verdict: 'damaged', entryCount: 1 });
    expect(verdicts[0]?.entries.map(({ name }) => name)).toEqual(['INDEX.jsonl']);
  });

  // The last one: it leaves the workspace with another time.
  test('ends with how much is missing, where that is anything', async () => {
    const odd = Buffer.concat([Buffer.from(join(install.workspace, 'caf')), Buffer.from([0xe9])]);
    writeFileSync(odd, 'a name that is not UTF-8');
    const output = join(install.out, 'incomplete.tar.gz');
    const lacking = await backup({ home: install.home, output }).finally(() => rmSync(odd));
    expect(lacking.incomplete).toBe(true);
    const text = entriesOf(Buffer.concat(membersOf(readFileSync(output)).map(({ block }) => block)))
      .find(({ name }) => name === 'INDEX.jsonl')
      ?.content.toString();
    expect(text?.match(/incomplete/g)).toHaveLength(1);
    expect(text?.endsWith('}\n{"incomplete":1}\n')).toBe(true);
    expect(lines.filter((line) => 'incomplete' in line)).toEqual([]);
    const unpacked = join(install.base, 'lacking');
    untar(output, unpacked);
    checkSums(unpacked);
    const { verdicts } = await verify({ archives: [output, install.archive], workers: 2 });
    expect(verdicts.map(({ verdict, incomplete }) => [verdict, incomplete])).toEqual([
      ['good', 1],
      ['good', 0],
    ]);
  });
});
